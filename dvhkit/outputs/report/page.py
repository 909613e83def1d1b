"""What every page of HTML shares: templates that escape, styles, and a policy that forbids the network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dvhkit.outputs.text import clean


def page_policy(styles: str, script: str = "", *, images: bool = False) -> str:
    """Return a content security policy that allows just these styles and this script, and nothing from elsewhere.

    With `images`, pictures that are part of the page itself (``data:``) are allowed too.
    """
    parts = ["default-src 'none'", f"style-src '{_hash(styles)}'"]
    parts += [f"script-src '{_hash(script)}'"] if script else []
    parts += ["img-src data:"] if images else []
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _harmless(value: object) -> object:
    """Clean whatever a template places, should a text have come here uncleaned."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def page_source(name: str) -> str:
    """Return a file of the templates as it stands."""
    environment = page_environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


@cache
def page_environment() -> Environment:
    """Return the templates' environment: everything is escaped, and an unknown name is an error."""
    return Environment(
        loader=PackageLoader("dvhkit.outputs", "templates"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
