"""The shipped demo patient is what its script makes, and holds what its README says."""

import numpy as np
import pydicom
import pytest
from shapely import Polygon

from dvhkit.phantoms.sets.phantom_set import axial_grid

SCRIPTS = "scripts"


@pytest.fixture(scope="module")
def demo(demo_case_dir):
    return {p.stem: pydicom.dcmread(p) for p in sorted(demo_case_dir.iterdir())}


@pytest.fixture(scope="module")
def make(request):
    """The script as a module."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(request.config.rootpath / SCRIPTS))
    import make_demo_data

    yield make_demo_data
    patch.undo()


def slices(demo):
    return [demo[stem] for stem in sorted(demo) if stem.startswith("CT")]


def roi(demo, name):
    rs = demo["RTSTRUCT"]
    (number,) = (r.ROINumber for r in rs.StructureSetROISequence if r.ROIName == name)
    (item,) = (r for r in rs.ROIContourSequence if r.ReferencedROINumber == number)
    rings = [np.array(c.ContourData, dtype=float).reshape(-1, 3) for c in item.get("ContourSequence", ())]
    return rings


def volume_cc(rings, slice_mm=3.0):
    return sum(Polygon(r[:, :2]).area for r in rings) * slice_mm / 1000


def test_the_script_still_draws_the_shipped_contours(demo, make):
    from demo_liver import structures

    planes = np.array([-61.0, -19.0, -4.0, 8.0, 50.0, 77.0])
    for made in structures.structures(planes):
        shipped = [r for r in roi(demo, made.name) if len(r) == 1 or r[0, 2] in planes]
        assert len(shipped) == len(made.contours), made.name
        for ring, contour in zip(shipped, made.contours, strict=True):
            np.testing.assert_array_equal(contour.points_mm, ring)


def test_the_script_still_computes_the_shipped_dose(demo, make):
    from demo_liver import dose

    ds = demo["RTDOSE"]
    shipped = ds.pixel_array[::8, ::7, ::9] * float(ds.DoseGridScaling)
    grid = axial_grid(
        shape_zyx=shipped.shape,
        spacing_xyz_mm=(9 * 2.5, 7 * 2.5, 8 * 2.5),
        first_xyz_mm=tuple(float(v) for v in ds.ImagePositionPatient),
    )
    np.testing.assert_allclose(dose.dose_gy(grid, make.GANTRY_DEG), shipped, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_the_script_still_makes_the_shipped_files(demo, demo_case_dir, make, tmp_path, monkeypatch):
    from demo_liver import image

    shipped = np.stack([ds.pixel_array.astype(np.int32) + int(ds.RescaleIntercept) for ds in slices(demo)])

    def two_slices_anew(grid):
        """Compute two slices, take the others as shipped: painting all of them takes a quarter of a minute."""
        x = (grid.origin_mm[0] + np.arange(grid.n_columns) * grid.spacing_mm[0])[None, :]
        y = (grid.origin_mm[1] + np.arange(grid.n_rows) * grid.spacing_mm[1])[:, None]
        values = shipped.copy()
        for k in (20, 36):
            values[k] = image._slice(x, y, float(grid.origin_mm[2] + grid.offsets_mm[k]))
        return values

    monkeypatch.setattr(image, "ct_numbers", two_slices_anew)
    paths = make.write_set(tmp_path, make.demo_patient(), omit=("CT",))
    assert [p.name for p in paths] == ["RTSTRUCT.dcm", "RTPLAN.dcm", "RTDOSE.dcm"]
    for path in paths:
        assert path.read_bytes() == (demo_case_dir / path.name).read_bytes(), path.name
    assert (demo_case_dir.parent / "liver_sbrt_context.yaml").read_text(encoding="utf-8") == make.CONTEXT


def test_the_image_obeys_the_limits_of_the_protocol_it_is_shown_with(demo):
    first = slices(demo)[0]
    assert max(float(v) for v in first.PixelSpacing) <= 1.0
    z = np.array([float(ds.ImagePositionPatient[2]) for ds in slices(demo)])
    assert set(np.diff(z)) == {3.0}
    assert float(first.SliceThickness) == 3.0


def test_volumes_are_those_of_a_patient(demo):
    assert 1300 < volume_cc(roi(demo, "Liver")) < 1600
    assert 12 < volume_cc(roi(demo, "GTV")) < 18
    assert volume_cc(roi(demo, "GTV")) < volume_cc(roi(demo, "CTV")) < volume_cc(roi(demo, "PTV")) < 80
    for side in "LR":
        assert 120 < volume_cc(roi(demo, f"Kidney_{side}")) < 200
    # LPS: the patient's right is -x, where the liver lies.
    assert np.mean([r[:, 0].mean() for r in roi(demo, "Liver")]) < -20
    assert (
        np.mean([r[:, 0].mean() for r in roi(demo, "Kidney_R")])
        < -20
        < np.mean([r[:, 0].mean() for r in roi(demo, "Kidney_L")])
    )


def test_targets_are_nested_and_organs_do_not_overlap(demo):
    by_z = {
        name: {r[0, 2]: Polygon(r[:, :2]) for r in roi(demo, name)}
        for name in ("GTV", "CTV", "PTV", "Kidney_R", "Duodenum")
    }
    for inner, outer in (("GTV", "CTV"), ("CTV", "PTV")):
        for z, polygon in by_z[inner].items():
            assert polygon.within(by_z[outer][z])
    for z, polygon in by_z["Kidney_R"].items():
        assert not any(polygon.intersects(Polygon(r[:, :2])) for r in roi(demo, "Liver") if r[0, 2] == z)


def test_the_margin_is_whole_everywhere_but_where_the_fault_was_planted(demo, make):
    from demo_liver import targets

    # Nearest CTV surface from each PTV vertex: the drawn margin, as far as slices of 3 mm can show it.
    surface = targets._surface(targets.ctv)[1]
    vertices = np.concatenate(roi(demo, "PTV"))
    margin, _ = surface.query(vertices)
    towards = (vertices - targets.CENTRE_MM) @ targets.FAULT_DIRECTION
    cosine = towards / np.linalg.norm(vertices - targets.CENTRE_MM, axis=1)
    # 0.15 mm: vertices are cut from a chord of 1.5 mm (sagitta 0.02), rounded, and meet surface points 0.6 mm apart.
    np.testing.assert_allclose(margin[cosine < 0.79], 5.0, atol=0.15)
    np.testing.assert_allclose(margin[cosine > 0.93], 1.0, atol=0.15)
    assert np.count_nonzero(cosine > 0.93) > 20


def test_an_empty_roi_and_a_point_are_there(demo):
    assert roi(demo, "Bowel_Small") == []
    (point,) = roi(demo, "Isocentre")
    assert point.shape == (1, 3)
    beam = demo["RTPLAN"].BeamSequence[0]
    assert [float(v) for v in beam.ControlPointSequence[0].IsocenterPosition] == point[0].tolist()


def test_coverage_is_a_little_short_and_the_dose_falls_off_as_sbrt_does(demo):
    ds = demo["RTDOSE"]
    dose = ds.pixel_array * float(ds.DoseGridScaling)
    origin = np.array(ds.ImagePositionPatient, dtype=float)
    inside = []
    for k, z in enumerate(origin[2] + np.array(ds.GridFrameOffsetVector, dtype=float)):
        for ring in roi(demo, "PTV"):
            if abs(ring[0, 2] - z) <= 1.25:
                from skimage.draw import polygon2mask

                mask = polygon2mask(dose[k].shape, (ring[:, 1::-1] - origin[1::-1]) / 2.5)
                inside.append(dose[k][mask])
    inside = np.concatenate(inside)
    # Binary voxels on the nearest slices: good to about one point of percent, enough to be apart from 95 %.
    assert 91.5 < 100 * np.mean(inside >= 50.0) < 94.5
    assert 60.0 < dose.max() < 65.535
    gradient_index = np.count_nonzero(dose >= 25.0) / np.count_nonzero(dose >= 50.0)
    assert 2.5 < gradient_index < 4.5


def test_no_name_in_it_is_a_real_one(demo):
    assert {str(ds.PatientName) for ds in demo.values()} == {"DEMO^LIVER"}
    assert {ds.PatientID for ds in demo.values()} == {"DEMO-0001"}


def test_it_stays_small(demo_case_dir):
    assert sum(p.stat().st_size for p in demo_case_dir.iterdir()) < 6e6
