"""Structures made out of those of a case, and how targets lie in each other: the verbs of contouring, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dvhkit.engine.options import EngineOptions
from dvhkit.engine.options import profile as engine_profile
from dvhkit.results.margin import AchievedMargin
from dvhkit.targets.achieved.check import achieved_margin
from dvhkit.targets.derive.margin import Derived
from dvhkit.targets.derive.margin import grow as _grown
from dvhkit.targets.derive.margin import shrink as _shrunk
from dvhkit.targets.derive.margin_sizes import Margins, parse_margins
from dvhkit.targets.regions.expression import evaluate

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure
    from dvhkit.targets.vertebra.ctv import CtvPlan
    from dvhkit.targets.vertebra.rules import Compartment


def derive(case: Case, expression: str, *, name: str | None = None) -> Derived:
    """Make a structure out of others by an expression, such as ``PTV - (SpinalCanal + 3mm)``.

    Returns
    -------
    Derived
        Its `structure` (ROI number -1: it stands in no file), how it was made, and what was odd on the way. Margins
        are drawn on the slices of the case's image.

    Raises
    ------
    InputError
        If the text is no expression.
    UnknownStructureError
        If there is no such structure; says which there are.
    GeometryError
        If contours are not planar or not parallel, or lie in different frames.
    """
    return evaluate(expression, case.structures, image=case.image, name=name)


def grow(
    case: Case, roi: str, margin_mm: float | str | Margins, *, name: str | None = None, engine: str | None = None
) -> Derived:
    """Grow a structure by a margin in mm: a number for all sides, or ``"L=5,R=7,A=6,P=8,S=9,I=10"`` (patient's sides).

    The Minkowski sum with an ellipsoid of six semi-axes, from the contours; see docs/margins.md. `roi` may be an
    expression. Results and errors as of `derive`.
    """
    return _grown(_region(case, roi), _margins(margin_mm), image=case.image, name=name, options=_options(engine))


def shrink(
    case: Case, roi: str, margin_mm: float | str | Margins, *, name: str | None = None, engine: str | None = None
) -> Derived:
    """Shrink a structure by a margin in mm, given as for `grow`: what is left has its whole margin inside."""
    return _shrunk(_region(case, roi), _margins(margin_mm), image=case.image, name=name, options=_options(engine))


def margin_check(
    case: Case, inner: str, outer: str, *, expect: str | float | tuple[float, float] | None = None
) -> AchievedMargin:
    """Measure the margin drawn from one structure of a case to another, and hold it against `expect` (``"2..5"``, mm).

    Every other structure of the case may have cut it. See `dvhkit.achieved_margin` for what comes back.
    """
    return achieved_margin(
        _region(case, inner),
        _region(case, outer),
        expect=expect,
        others=tuple(case.structures),
        slice_spacing_mm=case.slice_spacing_mm,
    )


def ctv_vertebra(
    case: Case,
    gtv: str,
    *,
    levels: Sequence[str] = (),
    profile: str = "wang2025-lamina",
    include: Iterable[Compartment] = (),
) -> CtvPlan:
    """Make the CTV of a vertebral metastasis by rule; see docs/vertebra.md.

    Parameters
    ----------
    levels
        Such as L3, or names of structures that are whole vertebrae; without any, all that the GTV touches.
    profile
        A shipped decision table (`dvhkit ctv profiles`), or a YAML file.
    include
        Discretionary compartments to take in.

    Raises
    ------
    InputError
        If there is no vertebra, or the GTV lies wholly outside of those named.
    """
    from dvhkit.targets.vertebra.ctv import plan_ctv
    from dvhkit.targets.vertebra.profiles import load_profile
    from dvhkit.targets.vertebra.scene import build_scene

    grid = case.image.grid if case.image is not None else None
    scene = build_scene(case.structures, case.structures[gtv], image_grid=grid, levels=levels)
    return plan_ctv(scene, load_profile(profile), include=include)


def _region(case: Case, roi: str) -> Structure:
    return evaluate(roi, case.structures, image=case.image).structure


def _margins(margin_mm: float | str | Margins) -> Margins | float:
    return parse_margins(margin_mm) if isinstance(margin_mm, str) else margin_mm


def _options(engine: str | None) -> EngineOptions | None:
    return None if engine is None else engine_profile(engine)
