import dataclasses

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.errors import GeometryError, OutputError
from dvhkit.model.dose import DoseType
from dvhkit.model.grid import Grid
from dvhkit.model.structure import Contour, ContourKind, Structure
from dvhkit.phantoms.dicom.dicom_set import build_set, write_set
from dvhkit.phantoms.dicom.modules import ds_text
from dvhkit.phantoms.dicom.uids import digest
from dvhkit.phantoms.sets.phantom_set import (
    OffsetForm,
    PhantomDose,
    PhantomImage,
    PhantomSet,
    arc_plan,
    axial_grid,
    voxel_centres_mm,
)
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import sphere

GRID = axial_grid(shape_zyx=(5, 8, 11), spacing_xyz_mm=(2.0, 3.0, 4.0), first_xyz_mm=(-17.5, 30.25, -100.0))


def dose_values(grid):
    x, y, z = voxel_centres_mm(grid)
    return np.broadcast_to(60 + 0.3 * x - 0.2 * y + 0.1 * z, grid.shape_zyx)


def phantom(**changes):
    roi = structure("PTV", 3, sphere((-7.0, 40.0, -92.0), 7.0), [-100.0, -96.0, -92.0, -88.0, -84.0], rt_roi_type="PTV")
    point = Structure(
        number=4, name="Iso", contours=(Contour(points_mm=np.array([[1.0, 2.0, 3.0]]), kind=ContourKind.POINT),)
    )
    empty = Structure(number=9, name="Nothing", contours=())
    parts = {
        "label": "test",
        "structures": (roi, point, empty),
        "image": PhantomImage(grid=GRID, values_hu=np.arange(440).reshape(5, 8, 11)),
        "plan": arc_plan(dose_gy=50.0, fractions=5, roi_number=3, isocentre_mm=(-7.0, 40.0, -92.0)),
        "doses": (PhantomDose(grid=GRID, values_gy=dose_values(GRID)),),
    }
    return PhantomSet(**{**parts, **changes})


def read(folder):
    return {p.stem: pydicom.dcmread(p) for p in sorted(folder.iterdir())}


def stored_gy(ds):
    return ds.pixel_array * float(ds.DoseGridScaling)


def all_elements(ds):
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from all_elements(item)
        else:
            yield element


def test_every_reference_in_the_set_resolves(tmp_path):
    write_set(tmp_path, phantom())
    files = read(tmp_path)
    known = {ds.SOPInstanceUID for ds in files.values()}
    rs, rp, rd = files["RTSTRUCT"], files["RTPLAN"], files["RTDOSE"]
    assert rd.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == rp.SOPInstanceUID
    assert rp.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID == rs.SOPInstanceUID
    series = rs.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert {i.ReferencedSOPInstanceUID for i in series.ContourImageSequence} <= known
    assert len(series.ContourImageSequence) == 5
    assert series.SeriesInstanceUID == files["CT_001"].SeriesInstanceUID
    assert {ds.FrameOfReferenceUID for ds in files.values()} == {
        rs.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    }
    assert len({ds.StudyInstanceUID for ds in files.values()}) == 1
    assert len(known) == len(files)
    for contour in rs.ROIContourSequence[0].ContourSequence:
        image = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        (z,) = {float(v) for v in contour.ContourData[2::3]}
        (ct,) = (ds for ds in files.values() if ds.SOPInstanceUID == image)
        assert float(ct.ImagePositionPatient[2]) == z


def test_the_same_phantom_gives_the_same_bytes_and_another_gives_other_uids(tmp_path):
    first = write_set(tmp_path / "a", phantom())
    second = write_set(tmp_path / "b", phantom())
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    shifted = {stem: ds.SOPInstanceUID for stem, ds in build_set(phantom(label="other"))}
    assert not set(shifted.values()) & {pydicom.dcmread(p).SOPInstanceUID for p in first}


def test_two_plans_on_one_patient_share_image_and_structures():
    one = {stem: ds.SOPInstanceUID for stem, ds in build_set(phantom())}
    replanned = phantom(plan=arc_plan(dose_gy=45.0, fractions=3, roi_number=3))
    two = {stem: ds.SOPInstanceUID for stem, ds in build_set(replanned)}
    assert {s for s in one if one[s] != two[s]} == {"RTPLAN", "RTDOSE"}


def test_every_decimal_string_fits_sixteen_characters_and_no_text_is_left_out(tmp_path):
    write_set(tmp_path, phantom())
    for ds in read(tmp_path).values():
        for element in all_elements(ds):
            if element.VR == "DS" and element.value not in (None, ""):
                values = element.value if element.VM > 1 else [element.value]
                assert max(len(str(v)) for v in values) <= 16
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "StudyDate"):
            assert ds[keyword].value


@given(st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6))
def test_decimal_strings_keep_nine_digits(value):
    text = ds_text(value)
    assert len(text) <= 16
    # The worst case, such as -1.234567890e-05, has ten significant digits.
    assert float(text) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("bits", [16, 32])
def test_dose_comes_back_to_half_a_quantum(tmp_path, bits):
    values = dose_values(GRID)
    write_set(tmp_path, phantom(doses=(PhantomDose(grid=GRID, values_gy=values, bits=bits),)))
    ds = read(tmp_path)["RTDOSE"]
    assert ds.BitsAllocated == bits
    assert float(ds.DoseGridScaling) == pytest.approx(values.max() / (2**bits - 1))
    np.testing.assert_allclose(stored_gy(ds), values, rtol=0, atol=float(ds.DoseGridScaling) * 0.5001)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("form", OffsetForm)
def test_frames_lie_where_the_offset_vector_says(tmp_path, form, descending):
    dose = PhantomDose(grid=GRID, values_gy=dose_values(GRID), offset_form=form, frames_descending=descending)
    write_set(tmp_path, phantom(doses=(dose,)))
    ds = read(tmp_path)["RTDOSE"]
    offsets = np.array(ds.GridFrameOffsetVector, dtype=float)
    first_z = float(ds.ImagePositionPatient[2])
    assert offsets[0] == (0 if form is OffsetForm.RELATIVE else first_z)
    frame_z = first_z + offsets - offsets[0]
    assert (np.diff(frame_z) < 0).all() == descending
    # The dose falls by known amounts from voxel to voxel, so each frame tells its own z.
    x0, y0 = (float(v) for v in ds.ImagePositionPatient[:2])
    np.testing.assert_allclose((stored_gy(ds)[:, 0, 0] - 60 - 0.3 * x0 + 0.2 * y0) / 0.1, frame_z, atol=1e-6)


def test_absolute_offsets_are_refused_for_a_grid_that_is_not_axial():
    sagittal = axial_grid(
        shape_zyx=(5, 8, 11), spacing_xyz_mm=(2.0, 3.0, 4.0), axes=np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    )
    dose = PhantomDose(grid=sagittal, values_gy=np.ones(sagittal.shape_zyx), offset_form=OffsetForm.ABSOLUTE)
    with pytest.raises(GeometryError, match="absolute"):
        list(build_set(phantom(doses=(dose,))))


@pytest.mark.parametrize("rle", [False, True])
def test_an_independent_reader_finds_the_image_where_it_was_put(tmp_path, rle):
    values = np.arange(440).reshape(5, 8, 11) - 900
    paths = write_set(tmp_path, phantom(image=PhantomImage(grid=GRID, values_hu=values, rle=rle)), omit=("RTSTRUCT",))
    image = SimpleITK.ReadImage([str(p) for p in paths if p.name.startswith("CT")])
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), values)
    assert image.GetSpacing() == pytest.approx((2.0, 3.0, 4.0))
    assert image.GetOrigin() == pytest.approx((-17.5, 30.25, -100.0))


def test_an_independent_reader_finds_a_tilted_image_where_it_was_put(tmp_path):
    turn = np.radians(30.0)
    axes = np.array([[np.cos(turn), 0, -np.sin(turn)], [0.0, 1.0, 0.0], [np.sin(turn), 0, np.cos(turn)]])
    grid = axial_grid(shape_zyx=(5, 8, 11), spacing_xyz_mm=(2.0, 3.0, 4.0), axes=axes)
    paths = write_set(tmp_path, phantom(image=PhantomImage(grid=grid)))
    image = SimpleITK.ReadImage([str(p) for p in paths if p.name.startswith("CT")])
    x, y, z = voxel_centres_mm(grid)
    at = tuple(float(np.broadcast_to(v, grid.shape_zyx)[4, 2, 7]) for v in (x, y, z))
    assert image.TransformIndexToPhysicalPoint((7, 2, 4)) == pytest.approx(at, abs=1e-6)


def test_uneven_slices_keep_their_positions(tmp_path):
    grid = Grid(
        origin_mm=np.array([0.0, 0.0, 50.0]), axes=np.eye(3), spacing_mm=np.array([1.0, 2.0]),
        offsets_mm=np.array([0.0, 3.0, 5.0, 12.5]), n_rows=3, n_columns=4,
    )  # fmt: skip
    write_set(tmp_path, phantom(image=PhantomImage(grid=grid, slice_thickness_mm=3.0)))
    files = read(tmp_path)
    assert [float(files[f"CT_{n:03d}"].ImagePositionPatient[2]) for n in (1, 2, 3, 4)] == [50.0, 53.0, 55.0, 62.5]
    assert float(files["CT_001"].SliceThickness) == 3.0
    assert [float(v) for v in files["CT_001"].PixelSpacing] == [2.0, 1.0]


def test_the_plan_states_prescription_fractions_and_beam_doses(tmp_path):
    write_set(tmp_path, phantom())
    plan = read(tmp_path)["RTPLAN"]
    (target,) = plan.DoseReferenceSequence
    assert (target.DoseReferenceType, float(target.TargetPrescriptionDose), target.ReferencedROINumber) == (
        "TARGET",
        50,
        3,
    )
    (group,) = plan.FractionGroupSequence
    assert group.NumberOfFractionsPlanned == 5
    assert sum(float(b.BeamDose) for b in group.ReferencedBeamSequence) * 5 == pytest.approx(50)
    for beam in plan.BeamSequence:
        weights = [float(c.CumulativeMetersetWeight) for c in beam.ControlPointSequence]
        assert weights[0] == 0
        assert weights[-1] == beam.FinalCumulativeMetersetWeight == 1
        assert beam.NumberOfControlPoints == len(weights)
        assert np.all(np.diff(weights) > 0)


def test_a_plan_may_leave_fractions_and_target_open(tmp_path):
    write_set(tmp_path, phantom(plan=arc_plan(dose_gy=50.0, fractions=None)))
    plan = read(tmp_path)["RTPLAN"]
    assert plan.FractionGroupSequence[0].NumberOfFractionsPlanned is None
    assert plan.DoseReferenceSequence[0].DoseReferenceStructureType == "SITE"
    assert "ReferencedROINumber" not in plan.DoseReferenceSequence[0]


def test_omitted_files_stay_referred_to_and_absent_parts_do_not(tmp_path):
    write_set(tmp_path / "omitted", phantom(), omit=("CT", "RTPLAN"))
    files = read(tmp_path / "omitted")
    assert set(files) == {"RTSTRUCT", "RTDOSE"}
    assert files["RTDOSE"].ReferencedRTPlanSequence
    write_set(tmp_path / "absent", phantom(image=None, plan=None), suffix="")
    files = read(tmp_path / "absent")
    assert {p.name for p in (tmp_path / "absent").iterdir()} == {"RTSTRUCT", "RTDOSE"}
    assert "ReferencedRTPlanSequence" not in files["RTDOSE"]
    uid = files["RTDOSE"].ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID
    assert uid == files["RTSTRUCT"].SOPInstanceUID
    assert "RTReferencedStudySequence" not in files["RTSTRUCT"].ReferencedFrameOfReferenceSequence[0]


def test_beam_doses_name_their_beam(tmp_path):
    half = dose_values(GRID) / 2
    doses = tuple(PhantomDose(grid=GRID, values_gy=half, summation_type="BEAM", beam_number=n) for n in (1, 2))
    write_set(tmp_path, phantom(doses=doses))
    files = read(tmp_path)
    for n in (1, 2):
        group = files[f"RTDOSE_{n}"].ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence[0]
        assert group.ReferencedFractionGroupNumber == 1
        assert group.ReferencedBeamSequence[0].ReferencedBeamNumber == n


def test_a_difference_of_doses_is_stored_signed(tmp_path):
    values = dose_values(GRID) - 60.0
    write_set(tmp_path, phantom(doses=(PhantomDose(grid=GRID, values_gy=values, dose_type=DoseType.ERROR),)))
    ds = read(tmp_path)["RTDOSE"]
    assert ds.PixelRepresentation == 1
    np.testing.assert_allclose(stored_gy(ds), values, atol=1e-6)


def test_doses_that_cannot_be_stored_are_refused():
    negative = PhantomDose(grid=GRID, values_gy=np.full(GRID.shape_zyx, -1.0))
    with pytest.raises(GeometryError, match="negative"):
        list(build_set(phantom(doses=(negative,))))
    coarse = PhantomDose(grid=GRID, values_gy=np.full(GRID.shape_zyx, 80.0), bits=16, quantum_gy=0.001)
    with pytest.raises(GeometryError, match="does not fit"):
        list(build_set(phantom(doses=(coarse,))))
    with pytest.raises(GeometryError, match="fit the grid"):
        PhantomDose(grid=GRID, values_gy=np.zeros((1, 2, 3)))


def test_a_contour_too_long_for_explicit_vr_makes_the_structure_set_implicit(tmp_path):
    roi = structure("Fine", 1, sphere((0.0, 0.0, 0.0), 50.0), [0.0], n_points=3000)
    write_set(tmp_path, phantom(structures=(roi,)))
    ds = read(tmp_path)["RTSTRUCT"]
    assert ds.file_meta.TransferSyntaxUID == pydicom.uid.ImplicitVRLittleEndian
    assert len(ds.ROIContourSequence[0].ContourSequence[0].ContourData) == 9000


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        write_set(tmp_path / "taken", phantom())


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(0, 90), min_size=4, max_size=4),
    bits=st.sampled_from([16, 32]),
)
def test_quantised_dose_never_leaves_half_a_quantum(values, bits):
    grid = axial_grid(shape_zyx=(1, 2, 2), spacing_xyz_mm=(1.0, 1.0, 1.0))
    dose = PhantomDose(grid=grid, values_gy=np.array(values).reshape(1, 2, 2), bits=bits)
    ds = dict(build_set(phantom(doses=(dose,))))["RTDOSE"]
    stored = np.frombuffer(ds.PixelData, dtype=f"<u{bits // 8}") * float(ds.DoseGridScaling)
    # Rounding the scaling to 16 characters may push the greatest count past the limit by less than one.
    np.testing.assert_allclose(stored, values, rtol=0, atol=float(ds.DoseGridScaling) * 1.0)


def test_an_ion_plan_is_written_and_referred_to_as_one(tmp_path):
    plan = dataclasses.replace(arc_plan(dose_gy=60.0, fractions=30, roi_number=3), is_ion=True)
    write_set(tmp_path, phantom(plan=plan))
    files = read(tmp_path)
    rp = files["RTPLAN"]
    assert rp.SOPClassUID == pydicom.uid.RTIonPlanStorage
    assert "BeamSequence" not in rp
    assert files["RTDOSE"].ReferencedRTPlanSequence[0].ReferencedSOPClassUID == pydicom.uid.RTIonPlanStorage
    for beam in rp.IonBeamSequence:
        points = beam.IonControlPointSequence
        assert beam.NumberOfControlPoints == len(points)
        assert [float(p.CumulativeMetersetWeight) for p in points] == [0.0, 0.5, 0.5, 1.0]
        assert sum(sum(p.ScanSpotMetersetWeights) for p in points) == float(beam.FinalCumulativeMetersetWeight)


def test_an_option_at_its_default_takes_no_part_in_uids():
    """So that an option that is added later leaves the shipped files as they are."""

    @dataclasses.dataclass(frozen=True)
    class Old:
        label: str

    @dataclasses.dataclass(frozen=True)
    class Grown:
        label: str
        extra: bool = False

    Grown.__name__ = "Old"
    assert digest(Old("a")) == digest(Grown("a")) != digest(Grown("a", extra=True))
    assert digest(Old("a")) != digest(Old("b"))
