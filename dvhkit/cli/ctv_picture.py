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

# One hue a kind, the left side lighter; told apart without red and green.
_COLOURS: dict[Compartment, Rgb] = {
    Compartment.BODY: (214, 204, 178),
    Compartment.PEDICLE_L: (158, 202, 225),
    Compartment.PEDICLE_R: (107, 150, 190),
    Compartment.TRANSVERSE_L: (188, 189, 220),
    Compartment.TRANSVERSE_R: (140, 130, 180),
    Compartment.LAMINA_L: (253, 208, 162),
    Compartment.LAMINA_R: (217, 150, 90),
    Compartment.SPINOUS: (161, 205, 155),
}
_GTV: Rgb = (200, 0, 0)
_CTV: Rgb = (0, 0, 0)


def draw_plan(
    plan: CtvPlan, *, gtv: str, checks: Sequence[LevelCheck] = (), drawn: FloatArray | None = None
) -> CutsPicture:
    """Return the picture of a plan; with a check, the CTV that was drawn rather than that of the rules."""
    ctv = plan.ctv if drawn is None else drawn
    at = _through(plan.scene.gtv)
    result = plan.levels[0]
    check = next((c for c in checks if c.level == result.vertebra.level), None)
    flags = check.flags if check is not None else result.outcome.flags
    return CutsPicture(
        title=f"{gtv}, {', '.join(r.vertebra.level for r in plan.levels)}: {result.outcome.profile_id}",
        cuts=(_axial(plan.scene, ctv, at[0]), _sagittal(plan.scene, ctv, at[2])),
        key=((_GTV, f"{gtv} (outline)"), (_CTV, "CTV (outline)"), *((c, part.value) for part, c in _COLOURS.items())),
        head=("Compartment", "GTV cc", "In the CTV", "Covered", "Why"),
        rows=tuple(row for r in plan.levels for row in _rows(r, checks)),
        remarks=tuple(str(flag) for flag in flags),
    )


def _through(gtv: FloatArray) -> tuple[int, int, int]:
    """Return the plane, row and column through the middle of the GTV, each where it is widest."""
    sums = (gtv.sum(axis=(1, 2)), gtv.sum(axis=(0, 2)), gtv.sum(axis=(0, 1)))
    return (int(np.argmax(sums[0])), int(np.argmax(sums[1])), int(np.argmax(sums[2])))


def _axial(scene: Scene, ctv: FloatArray, k: int) -> Cut:
    spacing = (float(scene.grid.spacing_mm[0]), float(scene.grid.spacing_mm[1]))
    return Cut(
        title="Axial: the patient's left is on the right",
        pixel_mm=spacing,
        fields=tuple((colour, whole[k]) for colour, whole in _fields(scene)),
        outlines=((_CTV, ctv[k]), (_GTV, scene.gtv[k])),
    )


def _sagittal(scene: Scene, ctv: FloatArray, i: int) -> Cut:
    height = scene.grid.plane_spacing_mm or 1.0
    return Cut(
        title="Sagittal: front on the left, head up",
        pixel_mm=(float(scene.grid.spacing_mm[1]), height),
        fields=tuple((colour, whole[::-1, :, i]) for colour, whole in _fields(scene)),
        outlines=((_CTV, ctv[::-1, :, i]), (_GTV, scene.gtv[::-1, :, i])),
    )


def _fields(scene: Scene) -> list[tuple[Rgb, FloatArray]]:
    made = []
    for part, colour in _COLOURS.items():
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
