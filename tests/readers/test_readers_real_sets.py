"""Third-party plans: each set is read rightly, or refused for the reason that its description names."""

from __future__ import annotations

import numpy as np
import pytest

from dvhkit.errors import DicomReadError, InputError, LinkError
from dvhkit.readers.case import find_cases, inventory, read_case
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtplan import read_plan

pytestmark = pytest.mark.real


def codes(case):
    return {finding.code for finding in case.findings}


def test_alderson_links_by_uid_and_adds_no_beam_dose_to_the_plan_dose(real_data):
    case = read_case(real_data / "alderson_vmat")
    assert case.label == "alderson_vmat"
    assert case.dose.summation_type == "PLAN"
    assert case.dose.values_gy.max() == pytest.approx(61.36, abs=0.01)
    assert {"beam-doses-not-added"} == codes(case)  # so the beam dose agreed with it, too
    assert case.image.grid.shape_zyx == (160, 512, 512)
    assert case.image.grid.spacing_mm.tolist() == [0.7421875, 0.7421875]
    assert case.image.grid.plane_spacing_mm == pytest.approx(2.0)
    [prescription] = case.prescriptions
    assert (prescription.dose_gy, prescription.roi_number, case.fractions) == (60.0, case.structures["PTV"].number, 20)
    assert len(find_cases(real_data / "alderson_vmat")) == 1


def test_breast_reads_stored_dvhs_in_gy_and_says_that_stored_means_are_percent(real_data):
    case = read_case(real_data / "breast_tps_dvh")
    assert {"stored-dvh-statistics", "empty-structures", "several-prescriptions", "image-slices-missing"} <= codes(case)
    stored = {dvh.roi_number: dvh for dvh in case.dose.stored_dvhs}
    assert len(stored) == 9
    heart = stored[case.structures["Heart"].number]
    assert heart.volume_cc[0] == pytest.approx(437.462317502643)
    assert np.diff(heart.dose_gy) == pytest.approx(0.01)
    assert case.structures["Areola"].is_empty


def test_proton_cube_is_an_ion_plan_without_prescription(real_data):
    case = read_case(real_data / "proton_cube")
    assert case.plan.is_ion
    assert case.prescriptions == ()
    assert {"no-prescription", "no-image"} <= codes(case)
    assert case.fractions == 1
    cube = np.concatenate([c.points_mm for c in case.structures["Cube101010"].closed_contours])
    assert np.ptp(cube, axis=0) == pytest.approx(100.0, abs=0.5)


def test_prostate_without_dose_is_a_case_with_structures_and_plan(real_data):
    case = read_case(real_data / "prostate_eclipse")
    assert case.dose is None
    assert "no-dose" in codes(case)
    assert case.prescriptions[0].dose_gy == 46.0
    assert len(case.structures["PTV"].closed_contours) == 20


def test_lung_phantom_with_explicit_vr_and_29_empty_rois(real_data):
    case = read_case(real_data / "lung_synthetic")
    assert sum(s.is_empty for s in case.structures) == 29
    assert len(case.structures["Lung"].closed_contours) == 108
    assert case.image.grid.shape_zyx == (100, 100, 100)


def test_nelms_files_chosen_by_hand_make_a_case_though_the_plan_is_absent(real_data):
    folder = real_data / "nelms_2mm_3mm"
    dose_file = folder / "DOSE GRIDS" / "Linear_SupInf_3mm_Aligned.dcm"
    case = read_case(rtstruct=folder / "STRUCTURES" / "Sphere_30_0.dcm", rtdose=dose_file)
    assert {"plan-absent", "no-plan", "no-image", "dose-may-be-partial"} <= codes(case)
    # 1 Gy/mm towards the head, cut off at 0 Gy.
    along_z = case.dose.values_gy[:, 9, 9]
    assert np.diff(along_z[7:]) == pytest.approx(3.0, abs=1e-4)
    assert along_z.min() == 0.0


def test_nelms_folder_is_ambiguous_and_lists_what_to_choose_from(real_data):
    with pytest.raises(LinkError, match=r"--rtdose|--rtstruct"):
        read_case(real_data / "nelms_2mm_3mm")
    same_uid = [f for f in inventory(real_data / "nelms_2mm_3mm").findings if f.code == "same-uid-differs"]
    assert len(same_uid) == 2  # the two directions of dose bear one SOP instance UID


@pytest.mark.parametrize("name", ["rtdose", "rtdose_expb", "rtdose_rle", "rtdose_1frame"])
def test_relative_doses_are_refused_by_tag(real_data, name):
    with pytest.raises(DicomReadError, match="RELATIVE") as caught:
        read_dose(real_data / "oddities" / "pydicom_rt" / f"{name}.dcm")
    assert caught.value.where == "DoseUnits (3004,0002)"


@pytest.mark.parametrize("name", ["rtdose_expb", "rtdose_rle"])
def test_big_endian_and_rle_hold_the_same_32_bit_dose(real_data, tmp_path, name):
    doses = []
    for stem in ("rtdose", name):
        stored = (real_data / "oddities" / "pydicom_rt" / f"{stem}.dcm").read_bytes()
        path = tmp_path / stem
        path.write_bytes(stored.replace(b"RELATIVE", b"GY      "))
        doses.append(read_dose(path)[0].values_gy)
    assert doses[0].max() == pytest.approx(1.254)
    assert np.array_equal(*doses)


def test_truncated_plan_is_refused_and_not_read_in_part(real_data):
    with pytest.raises(DicomReadError, match="ends inside"):
        read_plan(real_data / "oddities" / "pydicom_rt" / "rtplan_truncated.dcm")


def test_structure_set_without_file_meta_is_read(real_data):
    case = read_case(rtstruct=real_data / "oddities" / "pydicom_rt" / "rtstruct.dcm")
    assert case.structures.names == ("patient", "Isocenter 1", "Isocenter 2")
    assert case.structures["Isocenter 1"].is_empty


def test_doses_without_pixels_are_refused(real_data):
    for path in sorted((real_data / "oddities" / "pymedphys_orientation").glob("RD*.dcm")):
        with pytest.raises(DicomReadError, match="PixelData"):
            read_dose(path)


def test_two_fraction_groups_give_no_number_of_fractions(real_data):
    plan, findings = read_plan(real_data / "oddities" / "pymedphys" / "multi_fraction_groups" / "rtplan.dcm")
    assert plan.fractions_planned is None
    assert [g.fractions_planned for g in plan.fraction_groups] == [16, 4]
    assert [p.dose_gy for p in plan.prescriptions] == [42.4, 10.0]
    assert {f.code for f in findings} == {"several-prescriptions", "several-fraction-groups"}


def test_wedge_dose_alone_has_no_structures(real_data):
    path = real_data / "oddities" / "pymedphys" / "RD.wedge.dcm"
    dose, findings = read_dose(path)
    assert dose.values_gy.shape == (60, 130, 75)
    assert not findings
    with pytest.raises(LinkError, match="no structure"):
        read_case(rtdose=path)


def test_folder_without_dicom_says_what_it_holds(real_data):
    with pytest.raises(InputError, match="none of them DICOM"):
        read_case(real_data / "vertebra_masks")
