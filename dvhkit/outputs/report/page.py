"""What every page of HTML shares: templates that escape, styles, and a policy that forbids the network."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dvhkit.outputs.language import say_markup, script_words, spoken
from dvhkit.outputs.number_format import parted
from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

_UID_END = re.compile(r"(\(?…[0-9.]+\)?)")


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


class _TemplatesCache(FileSystemBytecodeCache):
    """Templates compiled once, beside themselves as Python keeps its modules; each process took a fifth of a second."""

    # What jinja2 compiles a text to depends on its version and on the options of `page_environment`: raised with them.
    _OPTIONS = 1

    def __init__(self) -> None:
        folder = Path(__file__).parents[1] / "templates" / "__pycache__"
        super().__init__(str(folder), f"%s.jinja-{jinja2.__version__}-{self._OPTIONS}")

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):  # a folder that is not ours to write to
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@cache
def page_environment() -> Environment:
    """Return the templates' environment: everything is escaped, and an unknown name is an error."""
    environment = Environment(
        loader=PackageLoader("dvhkit.outputs", "templates"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_TemplatesCache(),
    )
    environment.globals |= {"say": say_markup, "isolated": isolated, "kept": kept, "parted": parted}
    environment.globals |= {"code": _in("code"), "hashed": _in("span", "hash")}
    return environment


def page_words(*areas: str) -> dict[str, object]:
    """Return what each template is given of the language in use: its tag, and the messages that the script says."""
    return {"language": spoken().language, "words": script_words(*areas)}


def isolated(*names: str) -> Markup:
    """Return names out of the data, one after the other, each of which keeps its own direction of writing."""
    return Markup(", ").join(Markup("<bdi>{}</bdi>").format(clean(name)) for name in names)


def kept(text: str) -> Markup:
    """Return a text in which a UID's end, such as ``…266658196484``, is not parted at the end of a line."""
    return Markup(_UID_END.sub(r'<span class="kept">\1</span>', str(escape(clean(text)))))


def _in(tag: str, kind: str = "") -> Callable[[str], Markup]:
    opening = f'<{tag} class="{kind}">' if kind else f"<{tag}>"
    return lambda text: Markup(opening) + clean(text) + Markup(f"</{tag}>")
