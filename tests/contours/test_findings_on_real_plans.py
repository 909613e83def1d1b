"""Every finding on third-party plans, looked at: true, and why; each is seen in the file without our reader too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import shapely

from dvhkit.jobs.contours.check import check_contours

pytestmark = pytest.mark.real

Row = tuple[str, str, list[float | None], str]
# Code, structure, slices, and why it is true.
FINDINGS: dict[str, list[Row]] = {
    "alderson_vmat/RS/RS1.2.752.243.1.1.20251104145623863.1100.46584.dcm": [],
    "breast_tps_dvh/rtss.dcm": [
        ("empty-structure", "Areola", [None], "the file holds no contour of it"),
        (
            "sliver",
            "BODY",
            [60.56, 60.56, 72.56, 81.56, 111.56, 114.56, 168.56],
            "crumbs of less than a square millimetre, or lines without width",
        ),
        ("stray-island", "BODY", [-74.44, 168.56], "a crumb apart from all else"),
        ("outside-body", "Borders", [72.56], "crosses the skin"),
        ("organs-overlap", "Lt Lung", [-20.44], "drawn into each other"),
        (
            "pinhole",
            "Lt Lung",
            [
                -101.44,
                -95.44,
                -32.44,
                -32.44,
                -23.44,
                -20.44,
                -17.44,
                -17.44,
                -11.44,
                -2.44,
                0.56,
                15.56,
                18.56,
                24.56,
                54.56,
            ],
            "a hole of some pixels with tissue above and below",
        ),
        (
            "sliver",
            "Lt Lung",
            [
                -98.44,
                -98.44,
                -95.44,
                -80.44,
                -26.44,
                -20.44,
                -14.44,
                -5.44,
                15.56,
                33.56,
                33.56,
                45.56,
                45.56,
                48.56,
                51.56,
                57.56,
                60.56,
            ],
            "crumbs of less than a square millimetre, or lines without width",
        ),
    ],
    "hand_drawn_head_neck/RS.dcm": [
        ("missing-slice", "6600 (VMAT)", [-273.0, -270.0, -267.0], "drawn below and above, not here"),
        ("missing-slice", "BRACHPLEX_R", [-300.0, -297.0], "drawn below and above, not here"),
        ("self-crossing", "GTV", [-204.0, -195.0, -192.0], "the line crosses itself"),
        ("self-crossing", "LARYNX_SUPR", [-228.0, -225.0], "the line crosses itself"),
        ("missing-slice", "LIPS", [-162.0, -159.0, -156.0], "drawn below and above, not here"),
        ("missing-slice", "larynx+65 2", [-246.0], "drawn below and above, not here"),
        ("sliver", "6600 (VMAT)", [-168.0], "crumbs of less than a square millimetre, or lines without width"),
        ("stray-island", "6600 (VMAT)", [-276.0], "a crumb apart from all else"),
        ("slice-jump", "BRACHPLEX_L", [-267.0], "unlike both neighbours"),
        ("organs-overlap", "LARYNX", [-222.0], "drawn into each other"),
        ("stray-island", "LARYNX", [-213.0], "a crumb apart from all else"),
        ("stray-island", "LARYNX_SUPR", [-213.0], "a crumb apart from all else"),
        ("organs-overlap", "ORAL_CAVITY", [-189.0], "drawn into each other"),
        ("pinhole", "OROPHARYNX", [-198.0], "a hole of some pixels with tissue above and below"),
        ("stray-island", "OROPHARYNX", [-240.0], "a crumb apart from all else"),
        ("stray-island", "larynx+65", [-213.0], "a crumb apart from all else"),
        (
            "sliver",
            "larynx+65 2",
            [-261.0, -246.0, -219.0, -213.0],
            "crumbs of less than a square millimetre, or lines without width",
        ),
    ],
    "lung_synthetic/lung-1/rtss.dcm": [
        *(
            ("empty-structure", f"Unknown_structure__{n}_", [None], "the file holds no contour of it")
            for n in range(1, 30)
        ),
        ("implausible-volume", "Lung", [2.5], "26 litres under the name of a lung"),
    ],
    "prostate_eclipse/RS.1.2.246.352.71.4.2088656855.2404649.20110920153449.dcm": [
        ("empty-structure", "CTV", [None], "the file holds no contour of it"),
        ("empty-structure", "PROS", [None], "the file holds no contour of it"),
        ("empty-structure", "Vessels - left", [None], "the file holds no contour of it"),
        ("empty-structure", "Vessels - right", [None], "the file holds no contour of it"),
        ("empty-structure", "X1", [None], "the file holds no contour of it"),
        ("empty-structure", "X2", [None], "the file holds no contour of it"),
        ("empty-structure", "X3", [None], "the file holds no contour of it"),
        ("empty-structure", "XApprox", [None], "the file holds no contour of it"),
        ("empty-structure", "optBladder", [None], "the file holds no contour of it"),
        ("empty-structure", "optRectum", [None], "the file holds no contour of it"),
    ],
    "proton_cube/RS1.2.752.243.1.1.20221209135909128.2180.16718.dcm": [],
}
# Of these sets each has a point of interest without a contour.
_BALLS = "nelms_2mm_3mm/STRUCTURES"


def expected_of(name: str) -> list[Row]:
    if not name.startswith(_BALLS):
        return FINDINGS[name]
    rows: list[Row] = [("empty-structure", "POI_1", [None], "a point of interest without contour")]
    stem = Path(name).stem
    if stem.startswith("RtCone"):
        roi = "RtCone30_0" if stem == "RtCone_30_0" else stem
        rows.append(("sliver", roi, [-6.0, 18.0], "a cone on its side ends in a line"))
    return rows


def sets_in(folder: Path) -> list[str]:
    return [*FINDINGS, *sorted(str(p.relative_to(folder)) for p in (folder / _BALLS).glob("*.dcm"))]


def test_each_finding_on_third_party_plans_is_one_that_was_looked_at(real_data):
    for name in sets_in(real_data):
        found = sorted(
            (f.code, f.roi, None if f.slice_mm is None else round(f.slice_mm, 2))
            for f in check_contours(real_data / name).findings
            if f.severity.name != "INFO"
        )
        looked_at = sorted((code, roi, z) for code, roi, slices, _ in expected_of(name) for z in slices)
        assert found == looked_at, name


def test_each_such_finding_is_seen_in_the_file_itself(real_data):
    for name in sets_in(real_data):
        drawn = _areas(real_data / name)
        for code, roi, slices, _ in expected_of(name):
            for z in slices:
                assert _is_seen(code, drawn, roi, z), (name, code, roi, z)


Drawn = list[tuple[float, np.ndarray]]


def _areas(path: Path) -> dict[str, Drawn]:
    """Return all contours of each structure as height and outline, read by pydicom alone."""
    ds = pydicom.dcmread(path)
    names = {int(r.ROINumber): str(r.ROIName) for r in ds.StructureSetROISequence}
    found: dict[str, Drawn] = {name: [] for name in names.values()}
    for roi in ds.ROIContourSequence:
        for contour in roi.get("ContourSequence", []):
            points = np.array(contour.ContourData, float).reshape(-1, 3)
            if len(points) > 2:
                found[names[int(roi.ReferencedROINumber)]].append((round(float(points[:, 2].mean()), 2), points[:, :2]))
    return found


def _is_seen(code: str, everything: dict[str, Drawn], roi: str, z: float | None) -> bool:
    drawn = everything[roi]
    if code == "empty-structure":
        return not drawn
    here = _at(drawn, z)
    if code == "sliver":
        return any(s.area < 1.0 or 2 * s.area < 0.3 * s.length for s in here)
    if code == "self-crossing":
        return any(not s.is_valid for s in here)
    if code == "stray-island":
        return any(all(s.distance(o) >= 5.0 for o in here if o is not s) for s in here)
    if code == "pinhole":
        return any(s.area < 20 and any(o is not s and o.contains(s.representative_point()) for o in here) for s in here)
    if code == "organs-overlap":
        others = [s for name, rings in everything.items() if name != roi for s in _at(rings, z)]
        return any(_mended(s).intersection(_mended(o)).area > 10.0 for s in here for o in others)
    if code == "outside-body":
        body = _whole(_at(everything["BODY"], z))
        return any(_mended(s).difference(body).area > 5.0 for s in here)
    if code == "implausible-volume":
        levels = np.unique([w for w, _ in drawn])
        return sum(_whole(_at(drawn, w)).area for w in levels) * float(np.diff(levels).min()) / 1000.0 > 6000.0
    below, above = _beside(drawn, z, 3 if code == "missing-slice" else 1)
    if code == "missing-slice":
        meet = [_mended(a).intersection(_mended(b)) for a in below for b in above]
        return any(m.area > 0 and _whole(here).intersection(m).area < 0.5 * m.area for m in meet)
    assert code == "slice-jump"
    return all(
        _dice(_whole(here), _whole(beside)) < 0.7 < _dice(_whole(below), _whole(above)) for beside in (below, above)
    )


def _at(drawn: Drawn, z: float) -> list[shapely.Polygon]:
    return [shapely.Polygon(ring) for w, ring in drawn if abs(w - z) < 0.05]


def _beside(drawn: Drawn, z: float, most: int) -> tuple[list[shapely.Polygon], list[shapely.Polygon]]:
    """Return what is drawn on so many slices below and above at most."""
    levels = np.unique([w for w, _ in drawn])
    gap = float(np.median(np.diff(levels)))
    near = {side: [w for w in levels if 0.05 < side * (w - z) < 3.5 * gap] for side in (-1, 1)}
    nearest = {side: sorted(ws, key=lambda w: abs(w - z)) for side, ws in near.items()}
    return [s for w in nearest[-1][:most] for s in _at(drawn, w)], [s for w in nearest[1][:most] for s in _at(drawn, w)]


def _mended(shape: shapely.Polygon) -> shapely.Geometry:
    return shapely.make_valid(shape)


def _whole(shapes: list[shapely.Polygon]) -> shapely.Geometry:
    return shapely.union_all([_mended(s) for s in shapes])


def _dice(a: shapely.Geometry, b: shapely.Geometry) -> float:
    return 2.0 * a.intersection(b).area / max(a.area + b.area, 1e-9)
