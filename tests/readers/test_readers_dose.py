"""Dose grids: scaling, offsets, units and sizes are right, or the file is refused with its tag."""

from __future__ import annotations

import numpy as np
import pytest
from made_sets import MadeSet, Uids, dose, reference
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dvhkit.errors import DicomReadError
from dvhkit.model.dose import DoseType
from dvhkit.readers.rtdose import read_dose


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def read(made, data):
    result, findings = read_dose(made.write("rd", data))
    return result, {f.code for f in findings}


def refused(made, data):
    with pytest.raises(DicomReadError) as caught:
        read_dose(made.write("rd", data))
    assert caught.value.path.endswith("rd")
    return caught.value


@pytest.mark.requirement("R2")
def test_row_spacing_comes_first_in_pixel_spacing(made):
    result, _ = read(made, dose(made.uids))
    assert result.grid.spacing_mm.tolist() == [2.0, 2.5]  # along i, along j
    assert (result.grid.n_rows, result.grid.n_columns) == (25, 41)


@pytest.mark.parametrize(
    ("keyword", "value", "place"),
    [
        ("DoseUnits", "RELATIVE", "DoseUnits (3004,0002)"),
        ("DoseUnits", None, "DoseUnits (3004,0002)"),
        ("DoseGridScaling", None, "DoseGridScaling (3004,000E)"),
        ("DoseGridScaling", 0, "DoseGridScaling (3004,000E)"),
        ("DoseGridScaling", -1e-3, "DoseGridScaling (3004,000E)"),
        ("DoseType", "ERROR", "DoseType (3004,0004)"),
        ("ImagePositionPatient", None, "ImagePositionPatient (0020,0032)"),
        ("ImagePositionPatient", [1.0, 2.0], "ImagePositionPatient (0020,0032)"),
        ("ImageOrientationPatient", None, "ImageOrientationPatient (0020,0037)"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "ImageOrientationPatient (0020,0037)"),
        ("ImageOrientationPatient", [2, 0, 0, 0, 1, 0], "ImageOrientationPatient (0020,0037)"),
        ("PixelSpacing", None, "PixelSpacing (0028,0030)"),
        ("PixelSpacing", [0, 2], "PixelSpacing (0028,0030)"),
        ("PixelSpacing", [2], "PixelSpacing (0028,0030)"),
        ("GridFrameOffsetVector", None, "GridFrameOffsetVector (3004,000C)"),
        ("GridFrameOffsetVector", [0, 3, 6], "GridFrameOffsetVector (3004,000C)"),
        ("GridFrameOffsetVector", [*range(16), 15], "GridFrameOffsetVector (3004,000C)"),
        ("GridFrameOffsetVector", [*range(5, 22)], "GridFrameOffsetVector (3004,000C)"),
        ("PixelSpacing", [1e-9, 2], "PixelSpacing (0028,0030)"),
        ("ImagePositionPatient", [1e30, 0, 0], "ImagePositionPatient (0020,0032)"),
        ("DoseGridScaling", 1e300, "DoseGridScaling (3004,000E)"),
        ("PixelData", None, "PixelData (7FE0,0010)"),
        ("PixelData", bytes(100), "PixelData (7FE0,0010)"),
        ("Rows", None, "Rows (0028,0010)"),
        ("Rows", 65000, "PixelData (7FE0,0010)"),
        ("NumberOfFrames", 2**31 - 1, "NumberOfFrames (0028,0008)"),
        ("NumberOfFrames", 0, "NumberOfFrames (0028,0008)"),
        ("BitsAllocated", 64, "BitsAllocated (0028,0100)"),
        ("SamplesPerPixel", 3, "BitsAllocated (0028,0100)"),
        ("HighBit", 15, "HighBit (0028,0102)"),
    ],
)
@pytest.mark.requirement("R4")
def test_what_cannot_be_right_is_refused_by_its_tag(made, keyword, value, place):
    data = dose(made.uids)
    if value is None:
        delattr(data, keyword)
    else:
        setattr(data, keyword, value)
    error = refused(made, data)
    assert error.where == place
    assert error.remedy


@pytest.mark.parametrize(
    "keyword", ["ImagePositionPatient", "PixelSpacing", "DoseGridScaling", "GridFrameOffsetVector"]
)
def test_numbers_that_are_not_finite_are_refused_by_their_tag(made, keyword):
    path = made.write("rd", dose(made.uids))
    raw = path.read_bytes()
    stored = {
        "ImagePositionPatient": b"-27.0\\",
        "PixelSpacing": b"2.5\\2.0",
        "DoseGridScaling": b"1e-06",
        "GridFrameOffsetVector": b"0.0\\3.0\\",
    }[keyword]
    assert raw.count(stored) == 1
    path.write_bytes(
        raw.replace(
            stored,
            (b"nan" + b" " * 9)[: stored.find(b"\\") if b"\\" in stored else 5] + stored[stored.find(b"\\") :]
            if b"\\" in stored
            else b"nan  ",
        )
    )
    with pytest.raises(DicomReadError) as caught:
        read_dose(path)
    assert caught.value.where.startswith(keyword)


def test_offsets_that_start_at_z_zero_are_both_forms_at_once(made):
    data = dose(made.uids)
    shift = -float(data.ImagePositionPatient[2])
    data.ImagePositionPatient[2] = 0.0
    result, codes = read(made, data)
    assert result.grid.offsets_mm[[0, -1]].tolist() == [0.0, 48.0]
    assert result.grid.origin_mm[2] == 0.0
    assert shift != 0
    assert not codes


@pytest.mark.requirement("R2")
def test_negative_offsets_count_down_from_the_first_plane(made):
    up, _ = read(made, dose(made.uids))
    down, _ = read(made, dose(made.uids, descending=True))
    assert np.array_equal(up.values_gy, down.values_gy)
    assert down.grid.origin_mm + down.grid.offsets_mm[0] * down.grid.normal == pytest.approx(
        up.grid.origin_mm + up.grid.offsets_mm[0] * up.grid.normal
    )


@pytest.mark.requirement("R2")
def test_slice_thickness_does_not_stretch_a_dose(made):
    data = dose(made.uids)
    plain, _ = read(made, data)
    data.SliceThickness = 5
    thick, _ = read(made, data)
    assert np.array_equal(plain.grid.offsets_mm, thick.grid.offsets_mm)


def test_absolute_offsets_of_a_feet_first_patient_are_read_with_a_warning(made):
    from made_sets import ORIENTATIONS

    for position in ORIENTATIONS:
        result, codes = read(made, dose(made.uids, position=position, absolute=True))
        relative, _ = read(made, dose(made.uids, position=position))
        assert np.array_equal(result.values_gy, relative.values_gy)
        assert ("dose-offsets-absolute" in codes) is (position != "HFS")


def test_cosines_of_few_decimals_are_made_orthonormal(made):
    data = dose(made.uids)
    data.ImageOrientationPatient = [0.99985, 0.01745, 0.0, -0.01745, 0.99985, 0.0]
    result, _ = read(made, data)
    assert result.grid.axes @ result.grid.axes.T == pytest.approx(np.eye(3), abs=1e-15)


def test_effective_and_unknown_dose_types_are_told(made):
    data = dose(made.uids)
    data.DoseType = "EFFECTIVE"
    result, codes = read(made, data)
    assert result.dose_type is DoseType.EFFECTIVE
    assert "dose-effective" in codes
    del data.DoseType
    assert "dose-type-unknown" in read(made, data)[1]


def test_negative_and_all_zero_doses_are_told(made):
    data = dose(made.uids)
    data.PixelRepresentation = 1
    values = np.frombuffer(data.PixelData, "<i4").copy()
    values[5] = -2_000_000
    data.PixelData = values.tobytes()
    result, codes = read(made, data)
    assert result.values_gy.min() == -2.0
    assert "dose-negative" in codes
    data.PixelData = bytes(len(data.PixelData))
    assert "dose-all-zero" in read(made, data)[1]


def test_more_dose_than_any_beam_gives_is_told(made):
    data = dose(made.uids)
    data.DoseGridScaling = 1e-4
    result, codes = read(made, data)
    assert result.values_gy.max() == pytest.approx(2770.0)
    assert codes == {"dose-implausible"}


def test_trailing_padding_after_the_pixels_is_ignored(made):
    data = dose(made.uids)
    whole, _ = read(made, data)
    data.PixelData += b"\x00\x00\x07\x00"
    padded, _ = read(made, data)
    assert np.array_equal(whole.values_gy, padded.values_gy)


@pytest.mark.parametrize("extra", [12 * 4 * 7, 25 * 33 * 4, 100_000])
def test_more_pixels_than_stated_by_a_frame_or_more_are_refused(made, extra):
    data = dose(made.uids)
    frame = data.Rows * data.Columns * 4
    data.PixelData += bytes(extra)
    if extra < frame:
        read(made, data)
        return
    with pytest.raises(DicomReadError, match="bytes, but 17 frames") as caught:
        read(made, data)
    assert caught.value.where == "PixelData (7FE0,0010)"


def test_values_that_need_more_bits_than_are_stored_are_refused(made):
    data = dose(made.uids)
    data.BitsStored, data.HighBit = 25, 24
    whole, _ = read(made, data)
    assert whole.values_gy.max() == pytest.approx(27.7)
    data.BitsStored, data.HighBit = 24, 23
    with pytest.raises(DicomReadError, match="says 24") as caught:
        read(made, data)
    assert caught.value.where == "BitsStored (0028,0101)"


def stored_dvh(number, pairs, **options):
    item = Dataset()
    item.DVHType = options.get("kind", "CUMULATIVE")
    item.DoseUnits = options.get("units", "GY")
    item.DoseType = "PHYSICAL"
    item.DVHDoseScaling = options.get("scaling", 1)
    item.DVHVolumeUnits = options.get("volume_units", "CM3")
    item.DVHNumberOfBins = options.get("bins", len(pairs))
    item.DVHData = [str(v) for pair in pairs for v in pair]
    for name in ("DVHMinimumDose", "DVHMeanDose", "DVHMaximumDose"):
        if name in options:
            setattr(item, name, options[name])
    contributions = options.get("contributions", ["INCLUDED"])
    item.DVHReferencedROISequence = Sequence([Dataset() for _ in contributions])
    for roi, kind in zip(item.DVHReferencedROISequence, contributions, strict=True):
        roi.ReferencedROINumber, roi.DVHROIContributionType = number, kind
    return item


# A tenth of a cc at each of ten doses, 0.5 to 9.5 Gy, told cumulatively and by bin.
CUMULATIVE = [(1, round(1 - k / 10, 3)) for k in range(11)]
DIFFERENTIAL = [(1, 0.1)] * 10


def read_dvhs(made, *items):
    data = dose(made.uids)
    data.DVHSequence = Sequence(items)
    result, codes = read(made, data)
    return result.stored_dvhs, codes


def test_cumulative_and_differential_forms_give_one_curve(made):
    (cumulative, differential), codes = read_dvhs(
        made, stored_dvh(1, CUMULATIVE), stored_dvh(2, DIFFERENTIAL, kind="DIFFERENTIAL")
    )
    assert cumulative.dose_gy.tolist() == list(range(11))
    assert differential.dose_gy.tolist() == list(range(11))
    assert differential.volume_cc == pytest.approx(cumulative.volume_cc)
    assert cumulative.volume_pct[[0, 5, 10]] == pytest.approx([100, 50, 0])
    assert not codes


def test_scaling_is_for_doses_and_never_for_volumes(made):
    (dvh,), _ = read_dvhs(made, stored_dvh(1, CUMULATIVE, scaling=0.5))
    assert dvh.dose_gy[-1] == 5.0
    assert dvh.volume_cc[0] == 1.0


def test_percent_volumes_have_no_cc(made):
    (dvh,), _ = read_dvhs(made, stored_dvh(1, [(w, 100 * v) for w, v in CUMULATIVE], volume_units="PERCENT"))
    assert dvh.volume_cc is None
    assert dvh.volume_pct[0] == 100.0


@pytest.mark.parametrize(
    "options",
    [
        {"units": "RELATIVE"},
        {"volume_units": "PER_U"},
        {"kind": "NATURAL"},
        {"contributions": ["INCLUDED", "INCLUDED"]},
        {"contributions": ["INCLUDED", "OTHER"]},
        {"contributions": ["EXCLUDED"]},
        {"contributions": []},
        {"scaling": 0},
    ],
)
def test_stored_curves_that_mean_something_else_are_left_out_and_told(made, options):
    dvhs, codes = read_dvhs(made, stored_dvh(1, CUMULATIVE, **options), stored_dvh(2, CUMULATIVE))
    assert [dvh.roi_number for dvh in dvhs] == [2]
    assert codes == {"stored-dvh-unusable"}


def test_a_wrong_number_of_bins_is_told_and_the_good_pairs_are_read(made):
    dvhs, codes = read_dvhs(made, stored_dvh(1, CUMULATIVE, bins=3), stored_dvh(2, CUMULATIVE))
    assert [dvh.dose_gy.tolist() for dvh in dvhs] == [list(range(11))] * 2
    assert codes == {"stored-dvh-bins"}


def test_an_roi_less_another_is_read_as_such(made):
    (dvh,), codes = read_dvhs(made, stored_dvh(1, CUMULATIVE, contributions=["INCLUDED", "EXCLUDED"]))
    assert (dvh.roi_number, dvh.excluded_numbers) == (1, (1,))
    assert not codes


def test_percent_stored_for_gy_is_noticed_by_the_curve(made):
    dvhs, codes = read_dvhs(made, stored_dvh(1, CUMULATIVE, DVHMeanDose=50.0))
    assert codes == {"stored-dvh-statistics"}
    _, fine = read_dvhs(made, stored_dvh(1, CUMULATIVE, DVHMeanDose=5.0))
    assert not fine
    assert len(dvhs) == 1


def test_identities_and_references_travel_with_the_dose(made):
    data = dose(Uids(tag=4))
    data.ReferencedStructureSetSequence = Sequence([reference("1.2", "1.2.3")])
    result, _ = read(made, data)
    assert result.referenced_plan_uids == (Uids(tag=4).plan,)
    assert result.referenced_structure_set_uid == "1.2.3"
    assert result.sop_instance_uid == Uids(tag=4).dose
