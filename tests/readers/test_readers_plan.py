"""What a plan says of prescription, fractions and beams; what it does not say is told and never guessed."""

from __future__ import annotations

import pytest
from made_sets import ION_PLAN_CLASS, MadeSet, dose, plan, structure_set
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dvhkit.errors import DicomReadError, InputError
from dvhkit.findings import Level
from dvhkit.readers.case import find_cases, read_case
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtplan import read_plan
from dvhkit.readers.rtstruct import read_structures


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def read(made, data):
    result, findings = read_plan(made.write("rp", data))
    return result, {f.code: f for f in findings}


def target(dose_gy, *, roi=None, kind="VOLUME", role="TARGET", number=1):
    item = Dataset()
    item.DoseReferenceNumber, item.DoseReferenceStructureType, item.DoseReferenceType = number, kind, role
    if roi is not None:
        item.ReferencedROINumber = roi
    if dose_gy is not None:
        item.TargetPrescriptionDose = dose_gy
    return item


def test_the_scale_of_meterset_weights_changes_nothing(made):
    read_with = {}
    for last in (1.0, 100.0):
        data = plan(made.uids)
        for beam in data.BeamSequence:
            beam.FinalCumulativeMetersetWeight = last
            beam.ControlPointSequence[0].CumulativeMetersetWeight = 0.0
            beam.ControlPointSequence.append(Dataset())
            beam.ControlPointSequence[1].CumulativeMetersetWeight = last
        read_with[last], _ = read(made, data)
    assert read_with[1.0] == read_with[100.0]


def test_no_fractions_at_all_are_a_number_left_open(made):
    result, codes = read(made, plan(made.uids, fractions=0))
    assert result.fractions_planned is None
    assert "no-fractions" in codes


@pytest.mark.parametrize(("dose_gy", "told"), [(160.0, False), (500.0, False), (501.0, True), (6000.0, True)])
def test_a_prescription_that_looks_like_centigray_is_serious(made, dose_gy, told):
    _, codes = read(made, plan(made.uids, dose_gy=dose_gy))
    assert ("prescription-implausible" in codes) is told


def test_plans_and_stored_dvhs_of_rois_that_are_not_there_are_told(made):
    data = plan(made.uids)
    data.DoseReferenceSequence[0].ReferencedROINumber = 77
    made.write("rs", structure_set(made.uids))
    made.write("rp", data)
    grid = dose(made.uids)
    grid.DVHSequence = Sequence([stored_dvh(3), stored_dvh(88)])
    made.write("rd", grid)
    found = {f.code: f.message for f in read_case(made.folder).findings}
    assert "ROI 77," in found["prescription-roi-absent"]
    assert "ROI 88," in found["stored-dvh-roi-absent"]


def stored_dvh(roi):
    item, referenced = Dataset(), Dataset()
    item.DVHType, item.DoseUnits, item.DVHVolumeUnits, item.DVHDoseScaling = "CUMULATIVE", "GY", "CM3", 1
    item.DVHNumberOfBins, item.DVHData = 2, [1, 5, 1, 3]
    referenced.ReferencedROINumber, referenced.DVHROIContributionType = roi, "INCLUDED"
    item.DVHReferencedROISequence = Sequence([referenced])
    return item


def test_prescription_fractions_and_beams(made):
    result, codes = read(made, plan(made.uids))
    [prescription] = result.prescriptions
    assert (prescription.dose_gy, prescription.roi_number) == (20.0, 3)
    assert result.fractions_planned == 5
    assert [b.delivery_type for b in result.beams] == ["TREATMENT", "TREATMENT", "SETUP"]
    assert result.beams[0].machine == "linac"
    assert not result.is_ion
    assert not codes


def test_each_target_has_its_own_dose_and_organs_have_none(made):
    data = plan(made.uids)
    data.DoseReferenceSequence = Sequence(
        [
            target(60, roi=3),
            target(54, roi=1),
            target(20, role="ORGAN_AT_RISK", roi=7),
            target(None),
            target(50, kind="SITE", roi=9),
        ]
    )
    result, codes = read(made, data)
    # Only a POINT or VOLUME names its ROI (PS3.3 C.8.8.10).
    assert [(p.dose_gy, p.roi_number) for p in result.prescriptions] == [(60.0, 3), (54.0, 1), (50.0, None)]
    assert "several-prescriptions" in codes


def test_fraction_group_tells_the_dose_where_the_plan_does_not(made):
    data = plan(made.uids, dose_gy=None)
    data.DoseReferenceSequence = Sequence([target(None, roi=3)])
    named = Dataset()
    named.ReferencedDoseReferenceNumber, named.TargetPrescriptionDose = 1, 33.0
    data.FractionGroupSequence[0].ReferencedDoseReferenceSequence = Sequence([named])
    result, _ = read(made, data)
    [prescription] = result.prescriptions
    assert (prescription.dose_gy, prescription.roi_number) == (33.0, 3)
    assert "FractionGroupSequence" in prescription.origin


@pytest.mark.parametrize("gone", ["DoseReferenceSequence", "FractionGroupSequence", "BeamSequence", "RTPlanLabel"])
def test_missing_parts_are_told_and_no_error(made, gone):
    data = plan(made.uids)
    delattr(data, gone)
    result, codes = read(made, data)
    assert set(codes) == {"DoseReferenceSequence": {"no-prescription"}, "FractionGroupSequence": {"no-fractions"}}.get(
        gone, set()
    )
    assert result.referenced_structure_set_uid == made.uids.structures


def test_number_of_fractions_may_be_empty(made):
    result, codes = read(made, plan(made.uids, fractions=None))
    assert result.fractions_planned is None
    assert "no-fractions" in codes


@pytest.mark.parametrize(("status", "told"), [("REJECTED", True), ("APPROVED", False), ("UNAPPROVED", False)])
@pytest.mark.parametrize("kind", ["plan", "structure set", "dose"])
def test_what_a_reviewer_rejected_is_told_with_file_and_tag(made, kind, status, told):
    make, reader = {
        "plan": (plan, read_plan), "structure set": (structure_set, read_structures), "dose": (dose, read_dose),
    }[kind]  # fmt: skip
    data = make(made.uids)
    data.ApprovalStatus = status
    path = made.write("one", data)
    _, findings = reader(path)
    found = [f for f in findings if f.code == "approval-rejected"]
    assert bool(found) is told
    for each in found:
        assert (each.level, each.where) == (Level.WARNING, path.name)
        assert kind in each.message
        assert "(300E,0002)" in each.message


def test_words_for_numbers_count_as_missing(made):
    path = made.write("rp", plan(made.uids, fractions=77))
    path.write_bytes(path.read_bytes().replace(b"77", b"xx"))
    result, findings = read_plan(path)
    assert result.fractions_planned is None
    broken = next(f for f in findings if f.code == "plan-values-unreadable")
    assert "NumberOfFractionsPlanned (300A,0078)" in broken.message


def test_ion_plan_has_its_own_sequences(made):
    data = plan(made.uids)
    data.SOPClassUID = ION_PLAN_CLASS
    data.IonBeamSequence = data.BeamSequence
    del data.BeamSequence
    for beam in data.IonBeamSequence:
        beam.RadiationType = "PROTON"
        beam.IonControlPointSequence = beam.ControlPointSequence
        del beam.ControlPointSequence
    result, _ = read(made, data)
    assert result.is_ion
    assert result.beams[0].radiation_type == "PROTON"
    assert result.beams[0].nominal_energies == (6.0,)


def test_set_up_beams_need_no_dose(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids, beams=(4,)))
    made.write("rd", dose(made.uids, summation="BEAM", beam=4))
    case = read_case(made.folder)
    assert case.dose.summation_type == "BEAM"
    assert case.dose.values_gy.max() > 0


def test_wrong_kind_is_refused(made):
    with pytest.raises(DicomReadError, match="no plan but RTSTRUCT"):
        read_plan(made.write("rs", structure_set(made.uids)))


def test_one_file_stands_for_the_case_it_is_part_of(made):
    made.write_plain()
    (made.folder / "notes.txt").write_text("nothing")
    (made.folder / "cut").write_bytes((made.folder / "dose").read_bytes()[:500])
    for name in ("dose", "structures", "plan", "image3"):
        assert read_case(made.folder / name).dose is not None
        assert len(find_cases(made.folder / name)) == 1
    with pytest.raises(InputError, match="is no DICOM file"):
        read_case(made.folder / "notes.txt")
    with pytest.raises(DicomReadError, match="ends inside"):
        find_cases(made.folder / "cut")


def test_dose_without_summation_type_is_doubted(made):
    made.write_plain()
    data = dose(made.uids)
    del data.DoseSummationType
    made.write("dose", data)
    assert "dose-may-be-partial" in {f.code for f in read_case(made.folder).findings}
