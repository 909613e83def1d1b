"""One anatomy and one dose, stored in many ways: the case that is read must be the same in patient coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import (
    DOSE_SPACING_MM,
    ORIENTATIONS,
    PLANES_MM,
    MadeSet,
    Uids,
    ct_slices,
    dose,
    dose_at,
    dose_planes,
    plan,
    structure_set,
)

from dvhkit.engine.dvh import compute_dvh
from dvhkit.jobs.audit import compute_dvh as compute_case_dvh
from dvhkit.readers.case import read_case

# Doses are whole multiples of 1 µGy, so a stored dose is off by half of that at most.
ROUNDING_GY = 0.5e-6


def voxels(grid):
    """Centres of all voxels in patient coordinates, (n_planes, n_rows, n_columns, 3)."""
    k, j, i = np.indices(grid.shape_zyx)
    return (
        grid.origin_mm
        + grid.offsets_mm[k][..., None] * grid.axes[2]
        + (j * grid.spacing_mm[1])[..., None] * grid.axes[1]
        + (i * grid.spacing_mm[0])[..., None] * grid.axes[0]
    )


def assert_right_dose(case):
    """Each voxel holds the dose of the place where it claims to be."""
    assert np.abs(case.dose.values_gy - dose_at(voxels(case.dose.grid))).max() <= ROUNDING_GY * 1.01


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The plain set: head first supine, ascending relative offsets, one file."""
    return read_case(MadeSet(tmp_path_factory.mktemp("plain")).write_plain().folder)


@pytest.fixture(scope="module")
def plain_dvhs(plain):
    return {name: compute_dvh(plain.structures[name], plain.dose) for name in ("PTV", "Organ")}


def assert_same_dvhs(case, plain_dvhs, rel=1e-6):
    """The DVHs agree to `rel`; a coarser one says that the voxels are others, so that the engine samples anew."""
    for name, expected in plain_dvhs.items():
        dvh = compute_dvh(case.structures[name], case.dose)
        assert dvh.volume_cc == pytest.approx(expected.volume_cc, rel=1e-9)
        # The dose is linear and so is trilinear interpolation: planes left out change nothing.
        assert dvh.mean_gy == pytest.approx(expected.mean_gy, rel=max(rel, 1e-6))
        if rel <= 1e-6:
            assert (dvh.min_gy, dvh.max_gy) == pytest.approx((expected.min_gy, expected.max_gy), rel=rel)
        for fraction in (0.02, 0.3, 0.5, 0.95):
            volume_cc = fraction * expected.volume_cc
            assert dvh.dose_to_hottest_gy(volume_cc) == pytest.approx(expected.dose_to_hottest_gy(volume_cc), rel=rel)


def test_plain_set_holds_the_dose_that_was_planned(plain):
    assert_right_dose(plain)
    assert plain.structures["PTV"].number == 3
    assert {f.code for f in plain.findings} == {"empty-structures"}


@pytest.mark.parametrize("position", ORIENTATIONS)
def test_patient_position_does_not_move_dose_image_or_dvh(tmp_path, plain, plain_dvhs, position):
    made = MadeSet(tmp_path)
    for number, data in enumerate(ct_slices(made.uids, position=position)):
        made.write(f"{number}.ima", data)
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    made.write("rd", dose(made.uids, position=position))
    case = read_case(tmp_path)
    assert case.image.patient_position == position
    assert_right_dose(case)
    assert case.image.grid.offsets_mm == pytest.approx(plain.image.grid.offsets_mm)
    assert np.sort(voxels(case.image.grid)[:, 0, 0, 2]) == pytest.approx(PLANES_MM)
    # The lattice of voxel centres is one and the same, in whatever order it was stored.
    own = np.unique(voxels(case.dose.grid).reshape(-1, 3).round(6), axis=0)
    assert own == pytest.approx(np.unique(voxels(plain.dose.grid).reshape(-1, 3).round(6), axis=0))
    assert_same_dvhs(case, plain_dvhs)


@pytest.mark.parametrize("absolute", [False, True], ids=["relative", "absolute"])
@pytest.mark.parametrize("descending", [False, True], ids=["rising", "falling"])
def test_both_forms_of_frame_offsets_give_the_same_dose(tmp_path, plain, plain_dvhs, absolute, descending):
    MadeSet(tmp_path).write_plain(absolute=absolute, descending=descending)
    case = read_case(tmp_path)
    assert_right_dose(case)
    assert np.array_equal(case.dose.values_gy, plain.dose.values_gy)
    assert np.all(np.diff(case.dose.grid.offsets_mm) > 0)
    assert_same_dvhs(case, plain_dvhs)


@pytest.mark.parametrize("plane", ["sagittal", "coronal"])
def test_dose_planes_need_not_be_axial(tmp_path, plain_dvhs, plane):
    MadeSet(tmp_path).write_plain(plane=plane)
    case = read_case(tmp_path)
    assert_right_dose(case)
    assert case.dose.grid.axes == pytest.approx(np.eye(3))
    assert_same_dvhs(case, plain_dvhs)


@pytest.mark.parametrize(
    ("plane", "keep"),
    [
        ("axial", [0, 1, 3, 4, 6, 9, 10, 13, 16]),
        ("axial", [0, 2, 5, 7, 10, 12, 14, 16]),
        ("sagittal", [0, 3, 4, 9, 12, 20, 28, 36, 40]),
        ("coronal", [0, 2, 5, 9, 12, 17, 24]),
    ],
    ids=["axial", "no step of one", "sagittal", "coronal"],
)
@pytest.mark.parametrize("descending", [False, True], ids=["rising", "falling"])
def test_planes_left_out_of_a_linear_dose_change_nothing(tmp_path, plain, plain_dvhs, plane, keep, descending):
    MadeSet(tmp_path).write_plain(plane=plane, keep=np.array(keep), descending=descending)
    case = read_case(tmp_path)
    assert_right_dose(case)
    assert voxels(case.dose.grid) == pytest.approx(voxels(plain.dose.grid), abs=1e-9)
    assert_same_dvhs(case, plain_dvhs)
    assert "dose-planes-uneven" in {f.code for f in case.findings}


def test_planes_of_no_regular_grid_stay_where_they_are(tmp_path, plain_dvhs):
    made = MadeSet(tmp_path).write_plain()
    data = dose(made.uids)
    stored = np.frombuffer(data.PixelData, dtype="<u4").reshape(-1, data.Rows, data.Columns).astype(np.int64)
    heights = np.array([0, 2.7, 6.1, 9.4, 12, 16.3, 19, 24, 27.7, 31, 36.9, 40, 44.5, 48])
    data.NumberOfFrames, data.GridFrameOffsetVector = len(heights), heights.tolist()
    values = stored[0] + (stored[1] - stored[0]) / DOSE_SPACING_MM[2] * heights[:, None, None]
    data.PixelData = np.rint(values).astype("<u4").tobytes()
    made.write("dose", data)
    case = read_case(tmp_path)
    assert not case.dose.grid.is_uniform
    assert_right_dose(case)
    assert "dose-planes-uneven" in {f.code for f in case.findings}
    # The engine keeps 8192 bins over the dose around a structure, here up to 20 Gy; its samples are others.
    assert_same_dvhs(case, plain_dvhs, rel=2 * 20 / 8192 / 10)


@pytest.mark.parametrize("extra_mm", [[37.5, 40.5, 43.5], [60.75], [24.0, 72.0]], ids=["between", "one", "beyond"])
def test_uneven_image_slices_change_no_dvh(tmp_path, plain_dvhs, extra_mm):
    made = MadeSet(tmp_path).write_plain()
    for number, data in enumerate(ct_slices(made.uids, z_mm=np.array(extra_mm))):
        data.SOPInstanceUID += ".9"
        made.write(f"extra{number}", data)
    case = read_case(tmp_path)
    assert len(case.image.paths) == len(PLANES_MM) + len(extra_mm)
    assert {"image-uneven-spacing", "image-gap"} & {f.code for f in case.findings}
    assert_same_dvhs(case, plain_dvhs)
    for name, expected in plain_dvhs.items():
        assert compute_case_dvh(case, name).volume_cc == pytest.approx(expected.volume_cc, rel=1e-9)


def test_a_lost_file_of_one_file_a_plane_is_told(tmp_path, plain_dvhs):
    made = MadeSet(tmp_path)
    for number, data in enumerate(dose_planes(made.uids)):
        if number != 7:
            made.write(f"dose/{number}", data)
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    case = read_case(tmp_path)
    assert "dose-planes-uneven" in {f.code for f in case.findings}
    # This dose is linear, so that nothing is lost here; the finding says that it might be.
    assert_same_dvhs(case, plain_dvhs)


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_one_file_a_dose_plane_is_put_together_whatever_the_order(tmp_path, plain, plain_dvhs, position):
    made = MadeSet(tmp_path)
    planes = dose_planes(made.uids, position=position)
    for number in np.random.default_rng(3).permutation(len(planes)):
        made.write(f"dose/{(7 * number) % 17:02d}", planes[number])
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    case = read_case(tmp_path)
    assert case.dose.grid.shape_zyx == plain.dose.grid.shape_zyx
    assert_right_dose(case)
    assert_same_dvhs(case, plain_dvhs)


def test_beam_doses_are_summed_where_there_is_no_plan_dose(tmp_path, plain, plain_dvhs):
    made = MadeSet(tmp_path)
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    for beam, factor in ((1, 0.3), (2, 0.7)):
        made.write(f"rd{beam}", dose(made.uids, summation="BEAM", beam=beam, factor=factor, suffix=f".{beam}"))
    case = read_case(tmp_path)
    assert "doses-summed" in {f.code for f in case.findings}
    assert case.dose.values_gy == pytest.approx(plain.dose.values_gy, abs=2 * ROUNDING_GY)
    assert_same_dvhs(case, plain_dvhs)


def test_beam_doses_beside_the_plan_dose_change_nothing(tmp_path, plain):
    made = MadeSet(tmp_path).write_plain()
    for beam, factor in ((1, 0.3), (2, 0.7)):
        made.write(f"a{beam}", dose(made.uids, summation="BEAM", beam=beam, factor=factor, suffix=f".{beam}"))
    case = read_case(tmp_path)
    assert np.array_equal(case.dose.values_gy, plain.dose.values_gy)
    assert {f.code for f in case.findings} == {"beam-doses-not-added", "empty-structures"}


def test_beam_doses_that_do_not_add_up_to_the_plan_dose_are_reported(tmp_path):
    made = MadeSet(tmp_path).write_plain()
    for beam, factor in ((1, 0.3), (2, 0.5)):
        made.write(f"a{beam}", dose(made.uids, summation="BEAM", beam=beam, factor=factor, suffix=f".{beam}"))
    assert "beam-doses-differ" in {f.code for f in read_case(tmp_path).findings}


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_slice_order_and_instance_numbers_do_not_matter(tmp_path, plain, order):
    made = MadeSet(tmp_path)
    slices = ct_slices(made.uids)
    places = np.arange(len(slices))[::-1] if order == "reversed" else np.random.default_rng(1).permutation(len(slices))
    for name, (place, data) in enumerate(zip(places, slices, strict=True)):
        data.InstanceNumber = int(place)
        made.write(f"{int(places[name]):03d}", data)
    made.write("rs", structure_set(made.uids))
    case = read_case(tmp_path)
    assert np.array_equal(case.image.grid.offsets_mm, plain.image.grid.offsets_mm)
    assert np.array_equal(case.image.grid.origin_mm, plain.image.grid.origin_mm)
    assert case.image.sop_instance_uids == plain.image.sop_instance_uids


def test_sixteen_bit_dose_differs_by_its_quantum_only(tmp_path, plain):
    MadeSet(tmp_path).write_plain(bits=16, scaling=1e-3)
    case = read_case(tmp_path)
    assert case.dose.quantum_gy == 1e-3
    assert np.abs(case.dose.values_gy - plain.dose.values_gy).max() <= 0.5e-3 + ROUNDING_GY


def test_two_sets_in_one_folder_are_two_cases(tmp_path):
    from dvhkit.errors import LinkError
    from dvhkit.readers.case import find_cases, read_files

    for tag in (1, 2):
        made = MadeSet(tmp_path, Uids(tag=tag, frame=f"1.2.3.{tag}"))
        made.write(f"rs{tag}", structure_set(made.uids))
        made.write(f"rd{tag}", dose(made.uids))
    cases = find_cases(tmp_path)
    assert [read_files(files).dose.paths[0].name for files in cases] == ["rd1", "rd2"]
    assert len({files.label for files in cases}) == 2
    with pytest.raises(LinkError, match="--rtdose"):
        read_case(tmp_path)
    assert read_case(tmp_path, rtdose=tmp_path / "rd2").structures.path.name == "rs2"
    assert read_case(tmp_path, rtstruct=tmp_path / "rs1").dose.paths[0].name == "rd1"
    assert read_case(tmp_path / "rd2").structures.path.name == "rs2"
