"""Build a chain of targets by a recipe, and say what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from dvhkit.engine.combine import combine
from dvhkit.errors import InputError
from dvhkit.findings import Finding, Level
from dvhkit.model.image import ImageSeries
from dvhkit.model.structure import Structure
from dvhkit.results.targets.recipe import Recipe, Setting, Step
from dvhkit.targets.derive.crop import crop, inside
from dvhkit.targets.derive.margin import Derived, grow
from dvhkit.targets.derive.margin_sizes import Margins
from dvhkit.units import number_text

_FIELDS = ("left_mm", "right_mm", "anterior_mm", "posterior_mm", "superior_mm", "inferior_mm")


def make_targets(
    recipe: Recipe,
    structures: Mapping[str, Structure],
    *,
    settings: Mapping[str, float] | None = None,
    image: ImageSeries | None = None,
) -> tuple[Derived, ...]:
    """Return the structures that a recipe makes, in its order.

    Parameters
    ----------
    structures
        The structure of each role, such as ``{"gtv": ...}``.
    settings
        Margins in mm that replace the recipe's defaults. One outside the range of the source is used all the same, and
        a finding says so.

    Raises
    ------
    InputError
        If a required role is not filled, or a role or setting is unknown.
    """
    chosen = _settings(recipe, settings or {})
    _check_roles(recipe, structures)
    findings = _range_findings(recipe, chosen)
    made: dict[str, Derived] = {}
    for step in recipe.steps:
        base = made[step.base].structure if step.base in made else structures[step.base]
        made[step.name] = _made(step, base, structures, chosen, image)
    first, *rest = made.values()
    return (replace(first, findings=(*findings, *first.findings)), *rest)


def itv_of(phases: Sequence[Structure], *, name: str = "ITV") -> Derived:
    """Return the union of the GTVs of several phases; the phases themselves stay as they are."""
    if not phases:
        raise InputError("an ITV needs at least one GTV.")
    union = reduce(lambda a, b: combine("|", a, b, name=name), phases)
    how = " | ".join(phase.name for phase in phases)
    return Derived(structure=replace(union, name=name, rt_roi_type="ITV"), how=how)


def _settings(recipe: Recipe, given: Mapping[str, float]) -> dict[str, float]:
    known = {setting.name: setting.default for setting in recipe.settings}
    for name in given:
        if name not in known:
            raise InputError(
                f"the recipe {recipe.id} has no setting {name!r}.", remedy=f"There are: {', '.join(known)}."
            )
        Margins.isotropic(given[name])
    return known | dict(given)


def _check_roles(recipe: Recipe, structures: Mapping[str, Structure]) -> None:
    names = [role.name for role in recipe.roles]
    for name in structures:
        if name not in names:
            raise InputError(f"the recipe {recipe.id} has no role {name!r}.", remedy=f"There are: {', '.join(names)}.")
    for role in recipe.roles:
        if role.required and role.name not in structures:
            raise InputError(f"the recipe {recipe.id} needs a structure for {role.name!r}: {role.title}.")
    for name, structure in structures.items():
        if structure.is_empty:
            raise InputError(f"{structure.name}, named for {name!r}, has no contours that bound an area.")


def _range_findings(recipe: Recipe, chosen: Mapping[str, float]) -> list[Finding]:
    found = []
    for setting in recipe.settings:
        value = chosen[setting.name]
        least = setting.allowed_low if setting.allowed_low is not None else setting.low
        if (least is not None and value < least) or (setting.high is not None and value > setting.high):
            found.append(_out_of_range(recipe, setting, value))
        elif setting.low is not None and value < setting.low:
            found.append(_at_discretion(recipe, setting, value))
    return found


def _made(
    step: Step,
    base: Structure,
    structures: Mapping[str, Structure],
    chosen: Mapping[str, float],
    image: ImageSeries | None,
) -> Derived:
    margins = Margins(**{field: chosen[name] for field, (_, name) in zip(_FIELDS, step.margins, strict=True)})
    made = grow(base, margins, image=image, name=step.name)
    if step.inside and step.inside not in structures:
        made = replace(made, findings=(*made.findings, _not_kept_inside(step)))
    elif step.inside:
        made = crop(made, [inside(structures[step.inside])], image=image)
    if step.keep and step.inside in structures:
        whole = combine("|", made.structure, structures[step.keep], name=step.name)
        made = replace(made, structure=whole, how=f"{made.how}, with all of {structures[step.keep].name}")
    return replace(made, structure=replace(made.structure, rt_roi_type=step.rt_roi_type))


def _range_text(setting: Setting) -> str:
    if setting.high is None:
        return f"at least {number_text(setting.low or 0.0)} mm"
    return f"{number_text(setting.low or 0.0)} to {number_text(setting.high)} mm"


def _out_of_range(recipe: Recipe, setting: Setting, value: float) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="recipe-out-of-range",
        message=f"{setting.title}: {number_text(value)} mm is not in the range of {_range_text(setting)} "
        f"({setting.source}).",
        where=recipe.id,
    )


def _at_discretion(recipe: Recipe, setting: Setting, value: float) -> Finding:
    return Finding(
        level=Level.INFO,
        code="recipe-at-discretion",
        message=f"{setting.title}: {number_text(value)} mm is allowed at discretion only; the usual range is "
        f"{_range_text(setting)} ({setting.source}). Note the reason.",
        where=recipe.id,
    )


def _not_kept_inside(step: Step) -> Finding:
    return Finding(
        level=Level.WARNING,
        code="recipe-not-cropped",
        message=f"{step.name} should stay inside the {step.inside}, but no structure was named for that; it was not "
        "cropped.",
        where=step.name,
    )
