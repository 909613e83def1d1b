"""Whether the dose seems to lie beside its target: moved, it would cover what it now leaves cold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import DvhkitError, NotEvaluable
from dvhkit.findings import Finding, Level
from dvhkit.jobs.plausibility.targets import is_brachy
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.engine.sampled import Cloud, DosePoints, Slabs
    from dvhkit.jobs.plausibility.targets import Targets
    from dvhkit.model.arrays import FloatArray
    from dvhkit.model.case import Case
    from dvhkit.model.dose import Dose
    from dvhkit.model.structure import Structure

# Plans cover 95 % of a target with 95 % of its prescription. Less than the second number is looked into; what reaches
# the third once it is moved, by so much more, has the target's shape in another place.
_COVERED_DOSE_FRAC, _COVERED_FRAC, _RESTORED_FRAC, _GAIN_FRAC = 0.95, 0.92, 0.95, 0.08
_POINTS = 1200
# Set-up and grids are a few millimetres off; so far apart nothing else has the shape of the target.
_LEAST_MM, _MOST_MM, _STEP_MM = 4.0, 60.0, 1.0
# Withheld is what covers still less and has to be moved still farther, if the plan's isocentre says the same: it lies
# at the target, so near to its middle (in mm, or in parts of the way), and the dose does not.
_SURE_MM, _SURE_FRAC = 6.0, 0.85
_ISOCENTRE_MM, _ISOCENTRE_FRAC = 5.0, 0.3
# Below the skin the dose builds up: cold points that lie no deeper are no sign.
_BUILD_UP_MM = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Points of a target, the dose round them, and what counts as covered."""

    slabs: Slabs
    cloud: Cloud
    points: DosePoints
    least_gy: float

    def covered(self, moved_mm: FloatArray) -> np.ndarray:
        """Return which points are covered once the dose is moved; those beyond its grid are not."""
        return np.asarray(np.nan_to_num(self.points.gy(moved_mm)) >= self.least_gy)

    def covered_frac(self, moved_mm: FloatArray) -> float:
        """Return the covered part of the volume."""
        part = self.cloud.part_cc
        return float(part[self.covered(moved_mm)].sum() / part.sum())

    @property
    def points_mm(self) -> FloatArray:
        """The points in patient coordinates."""
        return self.slabs.stack.frame.to_patient(self.cloud.uvw)


def displaced_findings(targets: Targets) -> tuple[Finding, ...]:
    """Return a finding where the dose of external beams covers its target as soon as it is moved, and not as it lies.

    Looked at is the target of the highest prescription. It is serious where the plan's isocentre lies at the target.
    """
    case = targets.case
    structure, prescribed_gy = _looked_at(targets)
    if structure is None or case.dose is None or is_brachy(case):
        return ()
    place = _place(case, case.dose, structure, _COVERED_DOSE_FRAC * prescribed_gy)
    covered_frac = 1.0 if place is None else place.covered_frac(np.zeros(3))
    if place is None or covered_frac >= _COVERED_FRAC:
        return ()
    found = _restoring_mm(place, max(_RESTORED_FRAC, covered_frac + _GAIN_FRAC))
    if found is None or _is_build_up(targets, place, found[1]):
        return ()
    return (_finding(case, structure, place, *found),)


def _looked_at(targets: Targets) -> tuple[Structure | None, float]:
    wanted = [p for p in targets.case.prescriptions if np.isfinite(p.dose_gy) and p.dose_gy > 0]
    if not wanted:
        return None, 0.0
    highest = max(wanted, key=lambda p: p.dose_gy)
    own = targets.own(highest)
    planned = [s for s in targets.structures if s.rt_roi_type == "PTV"]
    alone = planned[0] if len(planned) == 1 else None
    return own if own is not None else alone, highest.dose_gy


def _place(case: Case, dose: Dose, structure: Structure, least_gy: float) -> _Place | None:
    from dvhkit.engine.sampled import DosePoints, cloud_of, slabs_of

    try:
        slabs = slabs_of(structure, dose, slice_spacing_mm=case.slice_spacing_mm)
    except DvhkitError:
        return None
    if slabs is None or not sum(section.area for section in slabs.sections) > 0:
        return None
    cloud = cloud_of(slabs, points=_POINTS, spread=False)
    return _Place(slabs=slabs, cloud=cloud, points=DosePoints(slabs, cloud.uvw, dose), least_gy=least_gy)


def _restoring_mm(place: _Place, least_frac: float) -> tuple[float, FloatArray] | None:
    """Return how far the dose has to be moved at least to cover the target, and the middle of all such ways; or None.

    Sought along the line from the covered part to the cold one, then along one that covers more.
    """
    covered, points = place.covered(np.zeros(3)), place.points_mm
    if not covered.any():
        return None
    way = points[~covered].mean(axis=0) - points[covered].mean(axis=0)
    length = float(np.linalg.norm(way))
    if not length > 0:
        return None
    way /= length
    for _ in range(2):
        steps = np.arange(_LEAST_MM, _MOST_MM, _STEP_MM)
        found = np.array([place.covered_frac(step * way) for step in steps])
        good = steps[found >= least_frac]
        if len(good):
            return float(good[0]), (good[0] + good[-1]) / 2 * way
        way = _turned(place, float(steps[found.argmax()]) * way)
        way /= np.linalg.norm(way)
    return None


def _turned(place: _Place, moved_mm: FloatArray) -> FloatArray:
    """Return a way near `moved_mm` under which more is covered."""
    step, best = 4.0, place.covered_frac(moved_mm)
    while step >= 1.0:
        ways = [moved_mm + step * sign * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
        found = [place.covered_frac(way) for way in ways]
        if max(found) > best:
            best, moved_mm = max(found), ways[int(np.argmax(found))]
        else:
            step /= 2
    return moved_mm


def _is_build_up(targets: Targets, place: _Place, moved_mm: FloatArray) -> bool:
    """Whether the cold part lies under the skin: outwards from it, the body ends."""
    from dvhkit.engine.sampled import contains, slabs_of

    case = targets.case
    assert case.dose is not None
    try:
        body = slabs_of(targets.numbers.body_structure(), case.dose, slice_spacing_mm=case.slice_spacing_mm)
    except (NotEvaluable, DvhkitError):
        return False
    if body is None:
        return False
    cold = place.points_mm[~place.covered(np.zeros(3))]
    outward = cold + _BUILD_UP_MM * moved_mm / np.linalg.norm(moved_mm)
    uvw = body.stack.frame.to_frame(outward)
    plane = np.clip(np.searchsorted(body.lo_mm, uvw[:, 2], side="right") - 1, 0, len(body.sections) - 1)
    within = np.zeros(len(uvw), dtype=bool)
    for k in np.unique(plane):
        of_plane = (plane == k) & (uvw[:, 2] >= body.lo_mm[k]) & (uvw[:, 2] <= body.hi_mm[k])
        within[of_plane] = contains(body.sections[k], uvw[of_plane, 0], uvw[of_plane, 1])
    return float(within.mean()) < 0.5


def _finding(case: Case, structure: Structure, place: _Place, least_mm: float, moved_mm: FloatArray) -> Finding:
    distance = float(np.linalg.norm(moved_mm))
    covered = [place.covered_frac(way) for way in (np.zeros(3), moved_mm)]
    share = [number_text(100 * frac, digits=3) for frac in covered]
    isocentre = _isocentre_mm(case)
    middle = np.average(place.points_mm, axis=0, weights=place.cloud.part_cc)
    reach = max(_ISOCENTRE_MM, _ISOCENTRE_FRAC * distance)
    is_far = least_mm >= _SURE_MM and covered[0] < _SURE_FRAC
    is_sure = is_far and isocentre is not None and np.linalg.norm(isocentre - middle) <= reach
    says = " The plan's isocentre lies at the target, and the dose beside both." if is_sure else ""
    message = (
        f"The dose seems to lie beside {structure.name}: it covers {share[0]} % of it with 95 % of what is prescribed, "
        f"and would cover {share[1]} % if it were moved by {number_text(distance, digits=2)} mm "
        f"({', '.join(f'{v:.0f}' for v in moved_mm)}; x, y, z).{says} Check that dose and structures are of one plan, "
        "and not shifted."
    )
    level = Level.SERIOUS if is_sure else Level.WARNING
    return Finding(level=level, code="dose-displaced", message=message, where=structure.name)


def _isocentre_mm(case: Case) -> FloatArray | None:
    """Return the plan's isocentre; None where it has several, or states none."""
    beams = case.plan.beams if case.plan is not None else ()
    stated = {beam.isocentre_mm for beam in beams if beam.isocentre_mm is not None}
    return np.array(next(iter(stated))) if len(stated) == 1 else None
