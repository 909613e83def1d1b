"""The picture of a vertebral CTV: an axial and a sagittal cut through the GTV, and the rules beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dvhkit.outputs.cuts_picture import Cut, CutsPicture, Rgb
from dvhkit.targets.vertebra_rules import Compartment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.model.arrays import FloatArray
    from dvhkit.targets.vertebra_check import LevelCheck
    from dvhkit.targets.vertebra_ctv import CtvPlan, LevelResult
    from dvhkit.targets.vertebra_scene import Scene

# A hue a kind, from Okabe and Ito's set for colour-blind readers (doi:10.1038/nmeth.1618); the left side is lighter.
COLOURS: dict[Compartment, Rgb] = {
    Compartment.BODY: (222, 214, 190),
    Compartment.PEDICLE_L: (150, 205, 240),
    Compartment.PEDICLE_R: (40, 130, 190),
    Compartment.TRANSVERSE_L: (232, 182, 212),
    Compartment.TRANSVERSE_R: (176, 92, 148),
    Compartment.LAMINA_L: (250, 205, 120),
    Compartment.LAMINA_R: (215, 145, 20),
    Compartment.SPINOUS: (0, 158, 115),
}
_GTV: Rgb = (200, 0, 0)
_CTV: Rgb = (0, 0, 0)


def draw_plan(
    plan: CtvPlan, *, gtv: str, checks: Sequence[LevelCheck] = (), drawn: FloatArray | None = None
) -> CutsPicture:
    """Return the picture of a plan; with a check, the CTV that was drawn rather than that of the rules."""
    ctv = plan.ctv if drawn is None else drawn
    result = plan.levels[0]
    check = next((c for c in checks if c.level == result.vertebra.level), None)
    flags = check.flags if check is not None else result.outcome.flags
    return CutsPicture(
        title=f"{gtv}, {', '.join(r.vertebra.level for r in plan.levels)}: {result.outcome.profile_id}",
        cuts=_cuts(plan.scene, ctv, _through(plan.scene.gtv)),
        key=picture_key(gtv, "CTV"),
        head=("Compartment", "GTV cc", "In the CTV", "Covered", "Why"),
        rows=tuple(row for r in plan.levels for row in _rows(r, checks)),
        remarks=tuple(str(flag) for flag in flags),
    )


def draw_level(plan: CtvPlan, result: LevelResult, *, drawn: FloatArray | None = None) -> tuple[Cut, ...]:
    """Return the cuts through the part of the GTV that one level holds, or through its middle if that is none."""
    held = np.zeros(plan.scene.grid.shape_zyx)
    whole = np.zeros(plan.scene.grid.shape_zyx)
    for part in result.vertebra.parts.values():
        whole[result.vertebra.window] += part
    held[:] = np.minimum(plan.scene.gtv, whole)
    at = _through(held if held.any() else whole)
    return _cuts(plan.scene, plan.ctv if drawn is None else drawn, at)


def picture_key(gtv: str, ctv: str) -> tuple[tuple[Rgb, str], ...]:
    """Return what the colours mean, the two outlines first."""
    return (
        (_GTV, f"{gtv} (outline)"),
        (_CTV, f"{ctv} (outline)"),
        *((colour, part.value) for part, colour in COLOURS.items()),
    )


def _cuts(scene: Scene, ctv: FloatArray, at: tuple[int, int, int]) -> tuple[Cut, Cut]:
    return (_axial(scene, ctv, at[0]), _sagittal(scene, ctv, at[2]))


def _side(direction: FloatArray) -> str:
    """Return the letter of the patient's side that a direction points to most."""
    axis = int(np.argmax(np.abs(direction)))
    return ("LPH" if direction[axis] > 0 else "RAF")[axis]


def _through(gtv: FloatArray) -> tuple[int, int, int]:
    """Return the plane, row and column through the middle of the GTV, each where it is widest."""
    sums = (gtv.sum(axis=(1, 2)), gtv.sum(axis=(0, 2)), gtv.sum(axis=(0, 1)))
    return (int(np.argmax(sums[0])), int(np.argmax(sums[1])), int(np.argmax(sums[2])))


def _axial(scene: Scene, ctv: FloatArray, k: int) -> Cut:
    spacing, axes = (float(scene.grid.spacing_mm[0]), float(scene.grid.spacing_mm[1])), scene.grid.axes
    return Cut(
        title="Axial",
        pixel_mm=spacing,
        fields=tuple((colour, whole[k]) for colour, whole in _fields(scene)),
        outlines=((_CTV, ctv[k]), (_GTV, scene.gtv[k])),
        marks=(_side(-axes[1]), _side(axes[0]), _side(axes[1]), _side(-axes[0])),
    )


def _sagittal(scene: Scene, ctv: FloatArray, i: int) -> Cut:
    height, axes = scene.grid.plane_spacing_mm or 1.0, scene.grid.axes
    return Cut(
        title="Sagittal",
        pixel_mm=(float(scene.grid.spacing_mm[1]), height),
        fields=tuple((colour, whole[::-1, :, i]) for colour, whole in _fields(scene)),
        outlines=((_CTV, ctv[::-1, :, i]), (_GTV, scene.gtv[::-1, :, i])),
        marks=(_side(axes[2]), _side(axes[1]), _side(-axes[2]), _side(-axes[1])),
    )


def _fields(scene: Scene) -> list[tuple[Rgb, FloatArray]]:
    made = []
    for part, colour in COLOURS.items():
        whole = np.zeros(scene.grid.shape_zyx)
        for vertebra in scene.vertebrae:
            if part in vertebra.parts:
                whole[vertebra.window] += vertebra.parts[part]
        made.append((colour, whole))
    return made


def _rows(result: LevelResult, checks: Sequence[LevelCheck]) -> list[tuple[str, ...]]:
    check = next((c for c in checks if c.level == result.vertebra.level), None)
    covered = {p.compartment: p.covered_frac for p in check.parts} if check is not None else {}
    outcome = result.outcome
    rows: list[tuple[str, ...]] = []
    for held in result.involvement.parts:
        part = held.compartment
        role = "required" if part in outcome.required else "optional" if part in outcome.optional else "-"
        role += ", taken in" if part in outcome.included else ""
        fraction = covered.get(part)
        shown = "-" if fraction is None else f"{100 * fraction:.0f} %"
        rows.append(
            (f"{result.vertebra.level} {part.value}", f"{held.gtv_cc:.2f}", role, shown, outcome.because_of(part))
        )
    return rows
