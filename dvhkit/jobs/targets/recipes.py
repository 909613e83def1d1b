"""Chains of targets by recipe, from the names and settings that a user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.results.targets.recipe import Recipe
from dvhkit.targets.derive.margin import Derived
from dvhkit.targets.derive.margin_sizes import parse_margins
from dvhkit.targets.derive.recipe import itv_of, make_targets
from dvhkit.targets.derive.recipe_file import load_recipe
from dvhkit.targets.regions.expression import evaluate

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTargets:
    """The targets of a recipe in the order in which they were made, and the lesions that they start from."""

    made: tuple[Derived, ...]
    sources: tuple[Derived, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeOrder:
    """A recipe with the settings chosen, and which structure plays which role besides the lesion."""

    recipe: Recipe
    settings_mm: dict[str, float]
    roles: tuple[tuple[str, str], ...]

    def make(self, case: Case, lesions: Sequence[str], *, keep_phases: bool) -> RecipeTargets:
        """Make the targets; several lesions are phases of a 4D series, kept beside their union if so asked."""
        drawn = [_drawn(case, name) for name in lesions]
        roles = {role: _region(case, name) for role, name in self.roles}
        phases = tuple(Derived(structure=s, how="") for s in drawn)
        first: tuple[Derived, ...] = ()
        if len(drawn) > 1:
            itv = itv_of(drawn)
            first = (*phases, itv) if keep_phases else (itv,)
            roles["gtv"] = itv.structure
        elif drawn:
            roles["gtv"] = drawn[0]
        made = make_targets(self.recipe, roles, settings=self.settings_mm, image=case.image)
        return RecipeTargets(made=(*first, *made), sources=() if len(first) > 1 else phases)


def recipe_order(
    recipe: str, *, settings: Sequence[tuple[str, str]] = (), roles: Sequence[tuple[str, str]] = ()
) -> RecipeOrder:
    """Return the order for a shipped recipe's ID or a YAML file; settings are margins in mm, as texts."""
    chosen = {name: parse_margins(value).greatest_mm for name, value in settings}
    return RecipeOrder(recipe=load_recipe(recipe), settings_mm=chosen, roles=tuple(roles))


def _region(case: Case, text: str) -> Structure:
    return evaluate(text, case.structures, image=case.image).structure


def _drawn(case: Case, text: str) -> Structure:
    found = _region(case, text)
    if found.is_empty:
        raise InputError(f"{text} has no contours that bound an area.", remedy="Name a lesion that is drawn.")
    return found
