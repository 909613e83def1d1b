"""Recipes of targets: which there are, and what one says; makes nothing, so it loads no engine."""

from __future__ import annotations

from dvhkit.results.rules.listing import Listed
from dvhkit.targets.derive.recipe_file import load_recipe, recipe_paths

__all__ = ["load_recipe", "shipped_recipes"]


def shipped_recipes() -> tuple[Listed, ...]:
    """Return the recipes that come with the program, in the order of their IDs."""
    found = (load_recipe(name) for name in recipe_paths())
    return tuple(Listed(id=recipe.id, version=recipe.version, title=recipe.title) for recipe in found)
