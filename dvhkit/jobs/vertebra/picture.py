"""The picture of a vertebral CTV: an axial and a sagittal cut through the GTV, and the rules beside them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.outputs.ctv.cuts_picture import Cut, CutsPicture, Rgb
from dvhkit.targets.vertebra.rules import Compartment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.grid import Grid
    from dvhkit.targets.vertebra.check import LevelCheck
    from dvhkit.targets.vertebra.ctv import CtvPlan, LevelResult
    from dvhkit.targets.vertebra.scene import Scene

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
        cuts=_cuts(plan.scene, ctv, _place(plan.scene, plan.levels)),
        key=picture_key(gtv, "CTV"),
        head=("Compartment", "GTV cc", "In the CTV", "Covered", "Why"),
        rows=tuple(row for r in plan.levels for row in _rows(r, checks)),
        remarks=tuple(str(flag) for flag in flags),
    )


def draw_level(plan: CtvPlan, result: LevelResult, *, drawn: FloatArray | None = None) -> tuple[Cut, ...]:
    """Return the cuts through the part of the GTV that one level holds, or through its middle if that is none."""
    at = _place(plan.scene, (result,))
    return _cuts(plan.scene, plan.ctv if drawn is None else drawn, at)


def _place(scene: Scene, results: Sequence[LevelResult]) -> tuple[int, int, int]:
    """Return plane, row and column, upright, through the GTV in these levels, or their middle if it is not there."""
    bone = np.zeros(scene.grid.shape_zyx)
    for result in results:
        for part in result.vertebra.parts.values():
            bone[result.vertebra.window] += part
    held = np.minimum(scene.gtv, bone)
    return _through(_Upright.of(scene.grid).turned(held if held.any() else bone))


@dataclass(frozen=True, slots=True)
class _Upright:
    """How to turn arrays of a grid so that their axes run to the head, the back and the left, and the voxel's size."""

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    size_zyx_mm: tuple[float, float, float]

    @classmethod
    def of(cls, grid: Grid) -> _Upright:
        along = grid.axes[::-1]  # of the array's axes
        sizes = (grid.plane_spacing_mm or 1.0, float(grid.spacing_mm[1]), float(grid.spacing_mm[0]))
        # Oblique axes go with the patient's axes that they are nearest to, all in all.
        k, j, i = max(permutations(range(3)), key=lambda o: sum(abs(float(along[a, 2 - n])) for n, a in enumerate(o)))
        flips = (bool(along[k, 2] < 0), bool(along[j, 1] < 0), bool(along[i, 0] < 0))
        return cls((k, j, i), flips, (sizes[k], sizes[j], sizes[i]))

    def turned(self, field: FloatArray) -> FloatArray:
        turned = field.transpose(self.order)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]


def picture_key(gtv: str, ctv: str) -> tuple[tuple[Rgb, str], ...]:
    """Return what the colours mean, the two outlines first."""
    return (
        (_GTV, f"{gtv} (outline)"),
        (_CTV, f"{ctv} (outline)"),
        *((colour, part.value) for part, colour in COLOURS.items()),
    )


def _cuts(scene: Scene, ctv: FloatArray, at: tuple[int, int, int]) -> tuple[Cut, Cut]:
    upright = _Upright.of(scene.grid)
    fields = [(colour, upright.turned(whole)) for colour, whole in _fields(scene)]
    outlines = [(_CTV, upright.turned(ctv)), (_GTV, upright.turned(scene.gtv))]
    height, depth, width = upright.size_zyx_mm
    axial = Cut(
        title="Axial",
        pixel_mm=(width, depth),
        fields=tuple((colour, whole[at[0]]) for colour, whole in fields),
        outlines=tuple((colour, whole[at[0]]) for colour, whole in outlines),
        marks=("A", "L", "P", "R"),
    )
    sagittal = Cut(
        title="Sagittal",
        pixel_mm=(depth, height),
        fields=tuple((colour, whole[::-1, :, at[2]]) for colour, whole in fields),
        outlines=tuple((colour, whole[::-1, :, at[2]]) for colour, whole in outlines),
        marks=("H", "P", "F", "A"),
    )
    return axial, sagittal


def _through(gtv: FloatArray) -> tuple[int, int, int]:
    """Return the plane, row and column through the middle of the GTV, each where it is widest."""
    sums = (gtv.sum(axis=(1, 2)), gtv.sum(axis=(0, 2)), gtv.sum(axis=(0, 1)))
    return (int(np.argmax(sums[0])), int(np.argmax(sums[1])), int(np.argmax(sums[2])))


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
