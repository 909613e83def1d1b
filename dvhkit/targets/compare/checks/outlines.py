"""Checks of single contours: too few points, crossings, spikes, slivers, twins, points off their plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import shapely

from dvhkit.findings import Level as Severity
from dvhkit.model.arrays import FloatArray
from dvhkit.model.structure import ContourKind
from dvhkit.results.contours.checks import ContourFinding
from dvhkit.targets.compare.checks.drawn import Drawn, Level, Ring

# Contours are texts rounded to a tenth of a millimetre or finer.
_FLAT_MM = 0.15
# A contour of which more than this share leaves the plane, and by more than so much, lies in another one.
_TURNED_FRAC, _TURNED_MM = 0.25, 1.0
_TOUCH_MM = 0.05
# Less area than this is no tissue; a contour of less width than this is a line.
SLIVER_MM2 = 1.0
_THIN_MM = 0.3
# Two rings everywhere this near are two drawings of one outline.
TWIN_MM = 0.5
# A point that lies this far out, between two edges that all but coincide.
_SPIKE_MM = 5.0
_SPIKE_COS = float(np.cos(np.radians(20)))
_RETURN_FRAC = 0.25


def check_outlines(drawn: Drawn) -> Iterator[ContourFinding]:
    """Yield what is wrong with the single contours of a structure."""
    yield from _points(drawn)
    for ring in drawn.rings:
        if is_turned(ring):
            yield _turned(drawn, ring)
            continue
        yield from _off_plane(drawn, ring)
        spikes = list(_spikes(drawn, ring))
        yield from spikes
        if is_sliver(ring):
            if _is_tip(drawn, ring):
                continue
            yield _found(drawn, "sliver", ring, ring.points[0], f"a contour of {ring.area_mm2:.2g} mm2", "left out")
        elif not spikes and not ring.shape.is_valid:
            yield from _crossing(drawn, ring)
    for level in drawn.levels:
        yield from _between(drawn, level)


def _found(  # noqa: PLR0917 -- what a finding is made of
    drawn: Drawn,
    code: str,
    ring: Ring,
    at: Sequence[float] | FloatArray,
    message: str,
    repair: str,
    severity: Severity = Severity.WARNING,
) -> ContourFinding:
    return ContourFinding(
        code=code,
        roi=drawn.name,
        severity=severity,
        slice_mm=drawn.slice_mm(ring.w_mm),
        place_mm=drawn.place(float(at[0]), float(at[1]), ring.w_mm),
        message=message,
        repair=repair,
        is_safe=bool(repair),
    )


def _points(drawn: Drawn) -> Iterator[ContourFinding]:
    closed = [c for c in drawn.structure.contours if c.kind.is_closed]
    opened = [c for c in drawn.structure.contours if not c.kind.is_closed and c.kind is not ContourKind.POINT]
    for contour in closed:
        if len(np.unique(np.round(contour.points_mm, 3), axis=0)) >= 3:
            continue
        x, y, z = (float(v) for v in contour.points_mm[0])
        yield ContourFinding(
            code="too-few-points",
            roi=drawn.name,
            severity=Severity.WARNING,
            slice_mm=z,
            place_mm=(x, y, z),
            message=f"a closed contour of {len(contour.points_mm)} points bounds nothing",
            repair="left out",
            is_safe=True,
        )
    for contour in opened if closed else ():
        x, y, z = (float(v) for v in contour.points_mm[0])
        yield ContourFinding(
            code="open-contour",
            roi=drawn.name,
            severity=Severity.WARNING,
            slice_mm=z,
            place_mm=(x, y, z),
            message="an open line among closed contours counts in no volume",
        )


def is_turned(ring: Ring) -> bool:
    """Whether a contour faces another way than the structure: what is off the plane is no single point."""
    off = np.abs(ring.lift_mm)
    return bool(off.max() > _TURNED_MM and np.mean(off > _FLAT_MM) > _TURNED_FRAC)


def _turned(drawn: Drawn, ring: Ring) -> ContourFinding:
    off = float(np.abs(ring.lift_mm).max())
    message = f"a contour faces another way than the others: it leaves their planes by {off:.3g} mm"
    middle = shapely.linearrings(ring.points).centroid
    return _found(drawn, "planes-not-parallel", ring, (middle.x, middle.y), message, "", Severity.SERIOUS)


def _off_plane(drawn: Drawn, ring: Ring) -> Iterator[ContourFinding]:
    worst = int(np.abs(ring.lift_mm).argmax())
    lift = float(ring.lift_mm[worst])
    if abs(lift) > _FLAT_MM:
        message = f"a point lies {abs(lift):.2f} mm off the plane of its contour"
        yield _found(drawn, "point-off-plane", ring, ring.points[worst], message, "moved onto its plane")


def is_sliver(ring: Ring) -> bool:
    """Whether a ring bounds next to nothing, or is a line rather than an area."""
    around = float(shapely.length(shapely.linearrings(ring.points)))
    return ring.area_mm2 < SLIVER_MM2 or 2.0 * ring.area_mm2 < _THIN_MM * around


def _is_tip(drawn: Drawn, ring: Ring) -> bool:
    """Whether a ring ends a part: what is drawn over it on one neighbouring slice, and nothing on the other."""
    at = next(n for n, level in enumerate(drawn.levels) if any(r is ring for r in level.rings))
    line = shapely.linearrings(ring.points)
    beside = [drawn.levels[n].area.intersects(line) for n in (at - 1, at + 1) if 0 <= n < len(drawn.levels)]
    alone = not any(r is not ring and r.shape.intersects(line) for r in drawn.levels[at].rings)
    return alone and sum(beside) == 1


def spike_points(ring_points: Any) -> Any:  # noqa: ANN401 -- arrays
    """Return which points of a ring (n, 2) jut out and straight back."""
    back, on = np.roll(ring_points, 1, axis=0) - ring_points, np.roll(ring_points, -1, axis=0) - ring_points
    before, after = np.hypot(*back.T), np.hypot(*on.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        cos = np.nan_to_num((back * on).sum(axis=1) / (before * after))
    short = np.hypot(*(back - on).T) < _RETURN_FRAC * np.minimum(before, after)
    return (np.minimum(before, after) > _SPIKE_MM) & (cos > _SPIKE_COS) & short


def juts_mm(ring_points: Any) -> Any:  # noqa: ANN401 -- arrays
    """Return how far each point of a ring (n, 2) lies off the line between its neighbours."""
    before, after = np.roll(ring_points, 1, axis=0), np.roll(ring_points, -1, axis=0)
    chord, off = after - before, ring_points - before
    length = np.maximum(np.hypot(*chord.T), 1e-9)
    return np.abs(chord[:, 0] * off[:, 1] - chord[:, 1] * off[:, 0]) / length


def _spikes(drawn: Drawn, ring: Ring) -> Iterator[ContourFinding]:
    if len(ring.points) < 6:
        return
    for n in np.flatnonzero(spike_points(ring.points)):
        yield _found(drawn, "spike", ring, ring.points[n], "one point juts out and straight back", "the point left out")


def _crossing(drawn: Drawn, ring: Ring) -> Iterator[ContourFinding]:
    line = shapely.linearrings(ring.points)
    if shapely.is_simple(line):
        return
    at = _crossing_point(ring)
    if at is None:
        return
    message = "the contour crosses itself; what counts as inside differs from program to program"
    yield _found(drawn, "self-crossing", ring, at, message, "outlined anew, all that it winds round", Severity.SERIOUS)


def _crossing_point(ring: Ring) -> Any:  # noqa: ANN401
    """Return where a ring crosses itself; None if it only touches itself, as a keyhole does."""
    from dvhkit.engine.contours.repair import compose

    whole = compose([ring.points], xor=False)
    x, y = (ring.points - ring.points[0]).T
    net = abs(0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y)))
    if abs(whole.area - net) <= max(0.05, 1e-4 * net):
        return None
    text = shapely.is_valid_reason(ring.shape)
    inner = text[text.find("[") + 1 : text.find("]")].split()
    return (float(inner[0]), float(inner[1])) if len(inner) == 2 else ring.points[0]


def _between(drawn: Drawn, level: Level) -> Iterator[ContourFinding]:
    """Yield what is wrong between two contours of one slice: repeated, almost alike, or across each other."""
    rings = [r for r in level.rings if not is_sliver(r)]
    for n, one in enumerate(rings):
        for two in rings[:n]:
            if not shapely.box(*one.shape.bounds).intersects(shapely.box(*two.shape.bounds)):
                continue
            lines = [shapely.linearrings(r.points) for r in (one, two)]
            apart = max(float(shapely.hausdorff_distance(lines[0], lines[1])), 0.0)
            if apart <= _TOUCH_MM:
                yield _found(drawn, "contour-repeated", one, one.points[0], "a contour is drawn twice", "one left out")
            elif apart <= TWIN_MM:
                message = f"two contours are nowhere more than {apart:.2f} mm apart: two drawings of one outline"
                yield _found(drawn, "near-twin", one, one.points[0], message, "the smaller left out")
            else:
                yield from _across(drawn, one, two)


def _across(drawn: Drawn, one: Ring, two: Ring) -> Iterator[ContourFinding]:
    if not (one.shape.is_valid and two.shape.is_valid):
        return
    shared = one.shape.intersection(two.shape)
    smaller = min(one.area_mm2, two.area_mm2)
    if 0.01 * smaller < shared.area < 0.99 * smaller:
        point = shared.representative_point()
        message = f"two contours overlap by {shared.area:.3g} mm2 without one lying in the other"
        yield _found(drawn, "contours-overlap", one, (point.x, point.y), message, "united")
