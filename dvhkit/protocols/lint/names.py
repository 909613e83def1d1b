"""Slips in the names of a protocol: unknown ones, aliases that swap organs, the wrong side."""

from __future__ import annotations

from collections.abc import Iterator

from dvhkit.findings import Finding, Level
from dvhkit.protocols.files.rules import Protocol, Rule
from dvhkit.protocols.naming.names import fold, nearest
from dvhkit.protocols.naming.organs import find_organ, is_target, known_names, side_of
from dvhkit.targets.regions.expression import Name, leaves_of

_LONGEST_NAME = 16


def unknown_names(protocol: Protocol) -> Iterator[Finding]:
    """Find names that are none of the common TG-263 ones; likely slips come with what is meant."""
    seen: set[str] = set()
    for rule in protocol.rules:
        for name in names_of(rule):
            if name in seen or find_organ(name) or is_target(name):
                continue
            seen.add(name)
            near = nearest(name, known_names())
            hint = f" Did you mean {near!r}?" if near and fold(near) != fold(name) else ""
            long = f" TG-263 names have at most {_LONGEST_NAME} characters." if len(name) > _LONGEST_NAME else ""
            message = f"{name!r} is none of the common TG-263 names.{hint}{long}"
            yield Finding(level=Level.INFO, code="unknown-name", message=message, where=rule.where)


def aliases(protocol: Protocol) -> Iterator[Finding]:
    """Find aliases that would take one organ for another, or one side for the other."""
    owners: dict[str, str] = {}
    wanted = {fold(name): name for rule in protocol.rules for name in names_of(rule)}
    for name, alias, where in _all_aliases(protocol):
        key = fold(alias)
        if key in wanted and wanted[key] != name:
            message = f"{alias!r} is given as an alias of {name!r} and is the name of another structure here."
            yield Finding(level=Level.SERIOUS, code="alias-swaps", message=message, where=where)
        if owners.setdefault(key, name) != name:
            message = f"{alias!r} is an alias of both {owners[key]!r} and {name!r}."
            yield Finding(level=Level.SERIOUS, code="alias-twice", message=message, where=where)
        if side_of(name) and side_of(alias) and side_of(name) != side_of(alias):
            message = f"{alias!r} is on the other side than {name!r}."
            yield Finding(level=Level.SERIOUS, code="side", message=message, where=where)
        if key == fold(name):
            message = f"the alias {alias!r} differs from {name!r} in case and blanks only, which never matter."
            yield Finding(level=Level.INFO, code="needless-alias", message=message, where=where)


def sides(protocol: Protocol) -> Iterator[Finding]:
    """Find a title that speaks of the other side."""
    for rule in protocol.rules:
        for name in names_of(rule):
            if side_of(name) and side_of(rule.title) and side_of(name) != side_of(rule.title):
                message = f"the title {rule.title!r} and the structure {name!r} are on different sides."
                yield Finding(level=Level.SERIOUS, code="side", message=message, where=rule.where)


def _all_aliases(protocol: Protocol) -> Iterator[tuple[str, str, str]]:
    for name, spellings in protocol.aliases:
        yield from ((name, alias, "aliases") for alias in spellings)
    for rule in protocol.rules:
        for selector in rule.check.selectors():
            yield from ((selector.name, alias, rule.where) for alias in selector.aliases)


def names_of(rule: Rule) -> Iterator[str]:
    """Yield the names of structures that a rule asks for, those in expressions too."""
    for selector in rule.check.selectors():
        yield from selector.names
        if selector.derived is not None:
            leaves = leaves_of(selector.derived)
            yield from (leaf.name for leaf in leaves if not (isinstance(leaf, Name) and leaf.is_type))


CHECKS = (unknown_names, aliases, sides)
