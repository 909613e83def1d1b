"""One Chromium for all tests of pages; where pages must be looked at (CI), its absence is a failure."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dvhkit.outputs.pdf import find_browser


def _missing(what: str) -> None:
    message = f"pages are looked at in Chromium, by playwright: {what} is not here"
    if os.environ.get("DVHKIT_REQUIRE_BROWSER"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium_address() -> Iterator[str]:
    """A running Chromium's address: starting one takes longer than most tests that look at a page."""
    program = find_browser()
    if program is None:
        _missing("Chromium")
    # Not a fixture's folder: the browser lets go of its files a moment after it was ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([str(program), *words, f"--user-data-dir={folder}"], **quiet) as process:
            port_file, until = Path(folder) / "DevToolsActivePort", time.monotonic() + 60
            while not port_file.exists() or not port_file.read_text().strip():
                assert time.monotonic() < until, "Chromium does not start"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port_file.read_text().split()[0]}"
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def browser(chromium_address: str) -> Iterator[Any]:
    """The browser, to be driven; connected anew in each module, since playwright keeps an event loop in its thread."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright")
    with sync_playwright() as play:
        chromium = play.chromium.connect_over_cdp(chromium_address)
        yield chromium
        chromium.close()


class Opened:
    """A page that was opened from a file, and everything that it complained of or asked for."""

    def __init__(self, browser: Any, path: Path, html: str = "", *, fragment: str = "", **look: Any) -> None:
        if html:
            path.write_text(html, encoding="utf-8")
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | look)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.complaints.append(request.url))
        self.page.goto(path.as_uri() + fragment)
        assert self.complaints.pop(0).startswith(path.as_uri())

    def ask(self, script: str, *given: Any) -> Any:
        return self.page.evaluate(script, *given)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Open a page of HTML from a file; closed when the test ends."""
    opened: list[Opened] = []

    def open_(html: str, **look: Any) -> Opened:
        opened.append(Opened(browser, tmp_path / f"page-{len(opened)}.html", html, **look))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


# Boxes of text that lie over each other, or stick out of the page: nothing may, in any look.
OVERLAPS = """() => {
  const found = [], boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.textContent.trim()) continue;
    if (parent.closest("script, style, svg, noscript, dialog, [hidden], .tip, option")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) if (box.width > 1 && box.height > 1) {
      // What is cut by its own box is not in sight.
      let left = box.left, right = box.right, top = box.top, bottom = box.bottom;
      for (let up = parent; up && up !== document.body; up = up.parentElement) {
        if (getComputedStyle(up).overflowX === "visible") continue;
        const frame = up.getBoundingClientRect();
        left = Math.max(left, frame.left); right = Math.min(right, frame.right);
        top = Math.max(top, frame.top); bottom = Math.min(bottom, frame.bottom);
      }
      const text = node.textContent.trim().slice(0, 40);
      if (right - left > 1 && bottom - top > 1) boxes.push({ left, right, top, bottom, text, block: parent });
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  boxes.forEach((a, i) => {
    if (a.right > document.documentElement.clientWidth + 1) found.push("sticks out: " + a.text);
    for (let j = i + 1; j < boxes.length && boxes[j].top < a.bottom - 3; j += 1) {
      const b = boxes[j];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left), high = Math.min(a.bottom, b.bottom) - b.top;
      if (a.block !== b.block && wide > 2 && high > 3) found.push(a.text + " | " + b.text);
    }
  });
  return found;
}"""


@pytest.fixture
def overlaps() -> str:
    """A script that returns the texts of a page that lie over each other or stick out."""
    return OVERLAPS


# Texts whose colour stands out less from what is behind them than WCAG 2.2 (1.4.3, AA) asks: 4.5, large ones 3.
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const light = (rgb) => { const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (node) => { const layers = []; for (let up = node; up; up = up.parentElement) { const c = rgba(getComputedStyle(up).backgroundColor); if (c[3]) layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const found = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const parent = text.parentElement;
    if (!text.textContent.trim() || parent.closest("script, style, title, option, :disabled, .off, [aria-hidden=true]")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(parent), drawn = parent.closest("svg"), ground = behind(parent);
    const ink = over(rgba(drawn ? style.fill : style.color), ground), size = parseFloat(style.fontSize);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least) found.add(ratio.toFixed(2) + " " + text.textContent.trim().slice(0, 30));
  }
  return [...found];
}"""  # noqa: E501 -- a script


@pytest.fixture
def faint() -> str:
    """A script that returns the texts of a page that do not stand out enough."""
    return FAINT
