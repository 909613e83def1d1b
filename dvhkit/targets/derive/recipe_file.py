"""Target recipes as data: found by ID or path, checked strictly, turned into plain records."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from dvhkit.errors import InputError
from dvhkit.results.targets.recipe import Recipe, Role, Setting, Step
from dvhkit.yaml_strict import StrictReader
from dvhkit.yaml_text import Place, Plain, read_yaml

DIRECTIONS = ("L", "R", "A", "P", "S", "I")
_STATUS = ("P", "T", "S2", "S1", "C", "X", "B")
_TYPES = ("GTV", "CTV", "ITV", "PTV", "AVOIDANCE", "CONTROL", "ORGAN")
_TOP = {"id", "version", "title", "summary", "sources", "roles", "settings", "steps"}
_TOP_MUST = ("id", "version", "title", "sources", "roles", "settings", "steps")


class RecipeError(InputError):
    """A recipe that cannot be used: file, line, reason."""


def load_recipe(id_or_path: str | Path) -> Recipe:
    """Return the shipped recipe of that ID, or the one in that YAML file.

    Raises
    ------
    RecipeError
        With file and line of the fault; or with the nearest ID.
    """
    shipped = recipe_paths()
    if str(id_or_path) in shipped:
        return _Reader(read_yaml(shipped[str(id_or_path)], error=RecipeError)).recipe()
    path = Path(id_or_path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        near = get_close_matches(str(id_or_path), shipped, n=1, cutoff=0.4)
        asked = f"Did you mean {near[0]!r}? " if near else ""
        raise RecipeError(
            f"there is no recipe {str(id_or_path)[:60]!r}.", remedy=f"{asked}There are: {', '.join(shipped)}."
        )
    return _Reader(read_yaml(path, error=RecipeError)).recipe()


@lru_cache(maxsize=1)
def recipe_paths() -> dict[str, Path]:
    """Return the shipped recipes by ID."""
    folder = Path(str(files("dvhkit.targets"))) / "data" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


class _Reader(StrictReader):
    """Reads one document; every refusal names its line."""

    error = RecipeError

    def recipe(self) -> Recipe:
        data = self.document.data
        self._keys(data, (), _TOP, _TOP_MUST)
        roles = tuple(self._role(name, node, ("roles", name)) for name, node in self._table("roles"))
        settings = tuple(self._setting(name, node, ("settings", name)) for name, node in self._table("settings"))
        items = data["steps"]
        if not isinstance(items, list) or not items:
            self._refuse(("steps",), "'steps' must be a list of steps")
        known = {role.name for role in roles}
        steps = []
        for i, item in enumerate(items):
            steps.append(self._step(item, ("steps", i), known, {s.name for s in settings}, {r.name for r in roles}))
            known.add(steps[-1].name)
        return Recipe(
            id=self._text(data, (), "id"),
            version=self._text(data, (), "version"),
            title=self._text(data, (), "title"),
            summary=self._text(data, (), "summary") if "summary" in data else "",
            sources=self._sources(data["sources"]),
            roles=roles,
            settings=settings,
            steps=tuple(steps),
        )

    def _sources(self, node: Plain) -> tuple[str, ...]:
        if not isinstance(node, list) or not node:
            self._refuse(("sources",), "'sources' must be a list; a recipe without a source is hearsay")
        found = []
        for i, item in enumerate(node):
            place: Place = ("sources", i)
            if not isinstance(item, dict):
                self._refuse(place, "a source must hold key and citation")
            self._keys(item, place, {"key", "citation", "url"}, ("key", "citation"))
            found.append(f"{self._text(item, place, 'key')}: {self._text(item, place, 'citation')}")
        return tuple(found)

    def _table(self, key: str) -> list[tuple[str, dict[str, Plain]]]:
        node = self.document.data[key]
        if not isinstance(node, dict) or not node:
            self._refuse((key,), f"{key!r} must hold `name: ...` lines")
        for name, item in node.items():
            if not isinstance(item, dict):
                self._refuse((key, name), f"{name!r} must hold `key: value` pairs")
        return [(name, item) for name, item in node.items() if isinstance(item, dict)]

    def _role(self, name: str, node: dict[str, Plain], place: Place) -> Role:
        self._keys(node, place, {"title", "required"}, ("title", "required"))
        required = node["required"]
        if not isinstance(required, bool):
            self._refuse((*place, "required"), "'required' must be true or false")
        return Role(name=name, title=self._text(node, place, "title"), required=required)

    def _setting(self, name: str, node: dict[str, Plain], place: Place) -> Setting:
        keys = {"title", "default", "low", "high", "allowed_low", "source", "status"}
        self._keys(node, place, keys, ("title", "default", "source", "status"))
        status = self._text(node, place, "status")
        if status not in _STATUS:
            self._refuse((*place, "status"), f"'status' must be one of {', '.join(_STATUS)}")
        low, high = self._length(node, place, "low"), self._length(node, place, "high")
        default = self._length(node, place, "default")
        allowed = self._length(node, place, "allowed_low")
        least = allowed if allowed is not None else low
        if default is None or (least is not None and default < least) or (high is not None and default > high):
            self._refuse((*place, "default"), "'default' must lie in the range")
        return Setting(
            name=name,
            title=self._text(node, place, "title"),
            default=default,
            low=low,
            high=high,
            allowed_low=allowed,
            source=self._text(node, place, "source"),
            status=status,
        )

    def _step(self, item: Plain, place: Place, known: set[str], settings: set[str], roles: set[str]) -> Step:
        if not isinstance(item, dict):
            self._refuse(place, "a step must hold `key: value` pairs")
        self._keys(
            item, place, {"name", "type", "from", "margin", "inside", "keep"}, ("name", "type", "from", "margin")
        )
        rt_type = self._text(item, place, "type")
        if rt_type not in _TYPES:
            self._refuse((*place, "type"), f"'type' must be one of {', '.join(_TYPES)}")
        base = self._text(item, place, "from")
        if base not in known:
            self._refuse((*place, "from"), f"{base!r} is neither a role nor an earlier step")
        for key in ("inside", "keep"):
            if key in item and self._text(item, place, key) not in roles:
                self._refuse((*place, key), f"{item[key]!r} is no role")
        return Step(
            name=self._text(item, place, "name"),
            rt_roi_type=rt_type,
            base=base,
            margins=self._margins(item["margin"], (*place, "margin"), settings),
            inside=self._text(item, place, "inside") if "inside" in item else "",
            keep=self._text(item, place, "keep") if "keep" in item else "",
        )

    def _margins(self, node: Plain, place: Place, settings: set[str]) -> tuple[tuple[str, str], ...]:
        named = dict.fromkeys(DIRECTIONS, node) if isinstance(node, str) else node
        if not isinstance(named, dict) or set(named) != set(DIRECTIONS):
            self._refuse(place, "'margin' must be one setting, or one for each of L, R, A, P, S, I")
        found = []
        for letter in DIRECTIONS:
            setting = named[letter]
            if not isinstance(setting, str) or setting not in settings:
                self._refuse(place, f"{setting!r} is no setting")
            found.append((letter, setting))
        return tuple(found)

    def _length(self, node: dict[str, Plain], place: Place, key: str) -> float | None:
        value = node.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            self._refuse((*place, key), f"{key!r} must be a length from 0 to 100 mm")
        return float(value)
