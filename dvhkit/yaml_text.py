"""YAML that users write, read as plain values with a line number for each: no tags, no aliases, no surprises."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dvhkit.errors import InputError

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

# The longest protocol that anybody wrote has some 200 rules and 80 kB.
MAX_BYTES = 2_000_000
_MOST_OPEN = 200  # brackets; far more than a sound file has, those in its texts counted
MAX_DEPTH = 20

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Place = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """A mapping as it stands in a file.

    Attributes
    ----------
    lines
        Line number (1 is the first) of each place: ``("rules", 0, "goal")`` -> 17.
    text
        The bytes that were read, so that a fingerprint is of just these.
    """

    path: Path
    data: dict[str, Plain]
    lines: dict[Place, int]
    text: bytes

    def line_of(self, place: Place) -> int:
        """Return the line of `place`, or of the nearest thing round it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path, *, error: type[InputError]) -> YamlDocument:
    """Return the mapping in the YAML file `path`.

    Raises
    ------
    InputError
        Of the class `error`, with file and line, for whatever is no plain mapping: unreadable or huge files, bytes
        that are no text, broken YAML, repeated keys, aliases, tags, NaN, nesting beyond reason.
    """
    raw = read_yaml_bytes(path, error=error)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        line = raw[: bad.start].count(b"\n") + 1
        raise error("this is no UTF-8 text.", path=path, where=f"line {line}", remedy="Save it as UTF-8.") from bad
    builder = _Builder(path=path, error=error, lines={}, seen=set())
    data = builder.build(_compose(text, path, error), ())
    if not isinstance(data, dict):
        is_other = path.suffix.casefold() in (".csv", ".json", ".xml")
        remedy = "Tables and scorecards are converted first: dvhkit protocol convert IN OUT.yaml." if is_other else None
        raise error("the file must hold `key: value` lines and does not.", path=path, where="line 1", remedy=remedy)
    return YamlDocument(path=path, data=data, lines=builder.lines, text=raw)


def read_yaml_bytes(path: Path, *, error: type[InputError]) -> bytes:
    """Return what stands in a file; raises `InputError` of the class `error` where it is none, or huge."""
    try:
        if not path.is_file():
            raise error("there is no such file.", path=path, remedy="Check the name.")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise error(f"the file has {size} bytes; at most {MAX_BYTES} are read.", path=path)
        return path.read_bytes()
    except (OSError, ValueError) as bad:  # ValueError: a NUL in the name
        raise error(f"the file cannot be read: {bad}.", path=path) from bad


def _compose(text: str, path: Path, error: type[InputError]) -> Any:  # noqa: ANN401 -- a node of ruamel's
    # Here: it takes a twentieth of a second, and shipped protocols do without (`dvhkit.protocols.files.prebuilt`).
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if _leaves_open(text) > _MOST_OPEN:  # the parser takes seconds to find that out
        raise error(f"the file nests deeper than {MAX_DEPTH} levels.", path=path, where="line 1")
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as bad:
        mark = bad.problem_mark or bad.context_mark
        line = mark.line + 1 if mark is not None else 1
        why = " ".join(str(part) for part in (bad.context, bad.problem) if part)
        raise error(
            f"this is no YAML: {why}.", path=path, where=f"line {line}", remedy=_quote_hint(text, line)
        ) from bad
    except YAMLError as bad:
        raise error(f"this is no YAML: {_first_line(bad)}.", path=path, where=_reader_line(text, bad)) from bad
    except RecursionError as bad:
        raise error(f"the file nests deeper than {MAX_DEPTH} levels.", path=path, where="line 1") from bad
    if node is None:
        raise error("the file is empty.", path=path, where="line 1")
    return node


def _leaves_open(text: str) -> int:
    """Return how many brackets stand open at most, those in texts and remarks among them."""
    steps = (1 if sign in "[{" else -1 for sign in re.findall(r"[\[\]{}]", text))
    return max(accumulate(steps), default=0)


def _first_line(bad: Exception) -> str:
    return str(bad).splitlines()[0] if str(bad) else type(bad).__name__


def _reader_line(text: str, bad: YAMLError) -> str:
    position = getattr(bad, "position", 0)
    return f"line {text[:position].count(chr(10)) + 1}"


def _quote_hint(text: str, line: int) -> str | None:
    """Return what helps against the commonest slips: a bare `>`, which YAML takes for a folded text, and tabs."""
    near = text.splitlines()[max(0, line - 2) : line]
    if any(re.match(r"\s*\t", row) for row in near):
        return "Indent with blanks, not with tabs."
    if any(re.search(r"[:\[,]\s*[>%@`]", row) for row in near):
        return "Put a value that begins with > or % in quotes, such as '>= 95 %'."
    return None


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns nodes into plain values and notes their lines."""

    path: Path
    error: type[InputError]
    lines: dict[Place, int]
    seen: set[int]

    def build(self, node: Any, place: Place) -> Plain:  # noqa: ANN401 -- a node of ruamel's, here and below
        self.lines.setdefault(place, node.start_mark.line + 1)
        # A node met twice came through an alias; ten lines of aliases can spell a billion values.
        if id(node) in self.seen:
            self._refuse(place, "an alias (*name) is not allowed here; write the value out")
        self.seen.add(id(node))
        if len(place) > MAX_DEPTH:
            self._refuse(place, f"the file nests deeper than {MAX_DEPTH} levels")
        if node.id == "mapping" and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if node.id == "sequence" and node.tag == f"{_TAG}seq":
            return [self.build(item, (*place, i)) for i, item in enumerate(node.value)]
        if node.id == "scalar":
            return self._scalar(node, place)
        self._refuse(place, f"the tag {str(node.tag)!r} is not allowed here")

    def _mapping(self, node: Any, place: Place) -> dict[str, Plain]:  # noqa: ANN401
        made: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.id != "scalar":
                self._refuse(place, "a key must be a plain word", line=line)
            key = str(key_node.value)
            if key in made:
                self._refuse(place, f"the key {key!r} stands here a second time", line=line)
            self.lines[(*place, key)] = line
            made[key] = self.build(value_node, (*place, key))
        return made

    def _scalar(self, node: Any, place: Place) -> Plain:  # noqa: ANN401
        text, kind = str(node.value), str(node.tag).removeprefix(_TAG)
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float":
                return self._number(text, kind, place)
            case "str" | "timestamp":  # a date stays the text that was typed
                return text
        self._refuse(place, f"the tag {str(node.tag)!r} is not allowed here")

    def _number(self, text: str, kind: str, place: Place) -> Plain:
        plain = text.replace("_", "")
        try:
            value = int(plain, 0 if re.match(r"[-+]?0[xob]", text) else 10) if kind == "int" else float(plain)
            usable = math.isfinite(value)
        except (ValueError, OverflowError):  # a whole number of some hundred digits overflows
            usable = False
        if not usable:
            self._refuse(place, f"{text[:40]!r} is no number that can be used")
        return value

    def _refuse(self, place: Place, why: str, *, line: int | None = None) -> NoReturn:
        raise self.error(f"{why}.", path=self.path, where=f"line {line or self.lines[place]}")
