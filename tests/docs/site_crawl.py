"""Follow the links of a built site, as a reader does who begins at its front page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin


class _Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.places = [], {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if given.get("id"):
            self.places.add(given["id"])


def crawl(site: Path):
    """Return how many clicks each page is from index.html, and the links that lead nowhere."""
    pages, clicks, dead, waiting = {}, {"index.html": 0}, [], ["index.html"]

    def page(name):
        if name not in pages:
            pages[name] = _Page(site / name)
        return pages[name]

    while waiting:
        here = waiting.pop(0)
        for link in page(here).links:
            if re.match(r"[a-z]+:", link):
                continue
            target, place = urldefrag(urljoin(f"/{here}", link))
            name = unquote(target).lstrip("/") or "index.html"
            if not (site / name).is_file():
                dead.append((here, link))
            elif name.endswith(".html"):
                if unquote(place) not in page(name).places:
                    dead.append((here, link))
                if name not in clicks:
                    clicks[name] = clicks[here] + 1
                    waiting.append(name)
    return clicks, dead
