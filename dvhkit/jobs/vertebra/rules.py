"""The rules of vertebral CTVs by the words of a command: which tables there are, and what they ask for."""

from __future__ import annotations

from dvhkit.results.rules.listing import Listed
from dvhkit.targets.vertebra.profiles import load_profile, profile_paths
from dvhkit.targets.vertebra.records import rules_document
from dvhkit.targets.vertebra.rules import Compartment, Extent, evaluate_rules, parse_compartment


def shipped_profiles() -> tuple[Listed, ...]:
    """Return the decision tables that come with the program, the default first."""
    found = (load_profile(name) for name in profile_paths())
    return tuple(Listed(id=profile.id, version=profile.version, title=profile.title) for profile in found)


def compartments_of(text: str) -> list[Compartment]:
    """Return the compartments that a list separated by commas names.

    Raises
    ------
    InputError
        If a word of it is none.
    """
    return [parse_compartment(word) for word in _words(text)]


def rules_of_involvement(involved: str, *, profile: str, include: str = "") -> dict[str, object]:
    """Return which compartments the CTV must hold, and by which rule, as plain values.

    `involved` lists compartments that hold GTV, and extents (``outside``, ``body_left``, ...), separated by commas.
    """
    known = {extent.value: extent for extent in Extent}
    words = _words(involved)
    outcome = evaluate_rules(
        load_profile(profile),
        [parse_compartment(word) for word in words if word.casefold() not in known],
        extents=[known[word.casefold()] for word in words if word.casefold() in known],
        include=compartments_of(include),
    )
    return rules_document(outcome)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
