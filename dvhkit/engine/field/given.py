"""The lattice of a solid in a dose, and the dose as the kernels take it."""

from __future__ import annotations

from itertools import product

import numpy as np

from dvhkit.engine.contours.frame import Frame
from dvhkit.engine.kernels.buffers import Cells, Field
from dvhkit.engine.lattice import Lattice, dose_lattice, end_halves_mm, rim_mm, volume_lattice
from dvhkit.engine.options import DoseEnd
from dvhkit.engine.solid.solid import Solid
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.model.dose import Dose

_NOTHING = frozen_array(np.zeros((1, 1, 1)))
# No point is ever inside: volume alone.
NO_DOSE = Field(
    values=_NOTHING,
    rounded=_NOTHING,
    offsets=frozen_array(np.zeros(1)),
    half_end=np.zeros(2),
    to_dose=np.array([[0.0, 0.0, 0.0, -9.0]] * 3),
    rim=np.zeros(4),
    low=0.0,
    high=0.0,
)


def lattice_of(solid: Solid, dose: Dose | None) -> Lattice:
    """Return the cells on which a solid is weighed, with room for all that its contours may mean."""
    lo_mm, hi_mm = float(solid.lo_mm.min()), float(solid.hi_mm.max())
    if solid.links is not None:
        z = solid.stack.offsets_mm
        for (first, stop), (below, above) in zip(solid.runs.bounds, solid.runs.end_gap_mm, strict=True):
            lo_mm, hi_mm = min(lo_mm, float(z[first]) - below), max(hi_mm, float(z[stop - 1]) + above)
    given = (solid.stack, solid.lo_mm, solid.hi_mm)
    if dose is None:
        return volume_lattice(*given, solid.options, reach_mm=(lo_mm, hi_mm), margin_mm=solid.margin_mm)
    return dose_lattice(*given, dose.grid, solid.options, reach_mm=(lo_mm, hi_mm), margin_mm=solid.margin_mm)


def cells_of(lattice: Lattice) -> Cells:
    """Return a lattice as the kernels take it."""
    return Cells(edges_mm=lattice.layer_edges_mm, origin_mm=lattice.origin_mm, step_mm=lattice.step_mm)


def field_of(lattice: Lattice, frame: Frame, dose: Dose | None, rounded: Dose | None, end: DoseEnd) -> Field:
    """Return a dose as the kernels take it; `rounded`: the same with its peaks as round as they may be."""
    if dose is None:
        return NO_DOSE
    to_dose = frame.to_grid(dose.grid)
    low, high = _dose_range(lattice, dose, to_dose)
    # A dose of one plane would end where it begins.
    to_centres = end is DoseEnd.CENTRES and frame.is_aligned and len(dose.grid.offsets_mm) > 1
    return Field(
        values=dose.values_gy,
        rounded=dose.values_gy if rounded is None else rounded.values_gy,
        offsets=dose.grid.offsets_mm,
        half_end=np.zeros(2) if to_centres else end_halves_mm(dose.grid),
        to_dose=to_dose,
        rim=rim_mm(frame, dose.grid, to_centres=to_centres),
        low=low,
        high=high,
    )


def _dose_range(lattice: Lattice, dose: Dose, to_dose: FloatArray) -> tuple[float, float]:
    """Return least and greatest dose in the voxels around the lattice's window: bounds for any dose inside."""
    far = lattice.origin_mm + lattice.step_mm * [lattice.n_columns, lattice.n_rows]
    corners = np.array(list(product(*zip(lattice.origin_mm, far, strict=True), lattice.layer_edges_mm[[0, -1]])))
    index = corners @ to_dose[:, :3].T + to_dose[:, 3]
    low, high = index.min(axis=0), index.max(axis=0)
    planes = np.searchsorted(dose.grid.offsets_mm, [low[2], high[2]])
    spans = [(planes[0] - 1, planes[1] + 1), *((int(low[a]) - 1, int(high[a]) + 2) for a in (1, 0))]
    box = tuple(
        slice(min(max(a, 0), n - 1), min(max(b, 1), n)) for (a, b), n in zip(spans, dose.values_gy.shape, strict=True)
    )
    part = dose.values_gy[box]
    return float(part.min()), float(part.max())
