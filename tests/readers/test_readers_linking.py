"""UIDs decide what belongs together; what is open is listed and never chosen."""

from __future__ import annotations

import pickle
import re
import time
from copy import deepcopy
from dataclasses import asdict, replace
from json import dumps
from pathlib import Path

import numpy as np
import pytest
from made_sets import (
    CENTRE_MM,
    DOSE_HALF_MM,
    OTHER_FRAME,
    PLAN_CLASS,
    STRUCTURE_SET_CLASS,
    MadeSet,
    Uids,
    ct_slices,
    dose,
    dose_at,
    encode,
    plan,
    reference,
    registration,
    structure_set,
)
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dvhkit.engine.dvh import compute_dvh
from dvhkit.errors import DicomReadError, InputError, LinkError
from dvhkit.readers.archive.index import scan
from dvhkit.readers.archive.person import person_of, unlike
from dvhkit.readers.case import find_cases, inventory, read_case, read_files
from dvhkit.readers.linking.link import link


@pytest.fixture
def made(tmp_path):
    return MadeSet(tmp_path)


def codes(case):
    return {f.code for f in case.findings}


def test_another_structure_set_in_the_same_frame_is_not_taken_for_the_plans(made):
    made.write_plain()
    decoy = structure_set(made.uids)
    decoy.SOPInstanceUID += ".99"
    made.write("a_decoy_that_sorts_first", decoy)
    case = read_case(made.folder)
    assert case.structures.path.name == "structures"
    assert "structure-set-without-dose" in codes(case)
    assert len(find_cases(made.folder)) == 1
    assert read_case(made.folder, rtstruct=made.folder / "a_decoy_that_sorts_first").dose is not None


def test_another_plan_on_the_same_structures_is_noted_and_not_taken(made):
    made.write_plain()
    other = plan(made.uids, dose_gy=99.0)
    other.SOPInstanceUID += ".99"
    made.write("a_plan", other)
    case = read_case(made.folder)
    assert case.prescriptions[0].dose_gy == 20.0
    assert "plan-without-dose" in codes(case)


@pytest.mark.requirement("R1")
def test_two_plans_with_doses_on_one_structure_set_are_two_cases(made):
    made.write_plain()
    second = Uids(tag=2)
    other_plan, other_dose = plan(second, dose_gy=10.0), dose(second, factor=0.5)
    other_plan.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, made.uids.structures)])
    made.write("plan2", other_plan)
    made.write("dose2", other_dose)
    cases = [read_files(files) for files in find_cases(made.folder)]
    assert [c.prescriptions[0].dose_gy for c in cases] == [20.0, 10.0]
    assert [c.dose.values_gy.max() for c in cases] == pytest.approx([27.7, 13.85])
    assert {c.structures.path.name for c in cases} == {"structures"}
    with pytest.raises(LinkError, match="2 cases") as caught:
        read_case(made.folder)
    assert "dose2" in str(caught.value)
    assert read_case(made.folder, rtplan=made.folder / "plan2").dose.paths[0].name == "dose2"
    assert read_case(made.folder, rtdose=made.folder / "dose").plan.path.name == "plan"


def test_dose_without_plan_is_joined_by_frame_only_where_there_is_one_choice(made):
    made.write("rs", structure_set(made.uids))
    made.write("rd", dose(made.uids))
    case = read_case(made.folder)
    assert {"plan-absent", "no-plan", "no-image", "linked-by-frame"} <= codes(case)
    second = structure_set(made.uids)
    second.SOPInstanceUID += ".2"
    made.write("rs2", second)
    with pytest.raises(LinkError, match="2 structure sets share") as caught:
        read_case(made.folder)
    assert "rs, rs2" in caught.value.message
    assert "--rtstruct" in caught.value.remedy


def test_dose_can_point_to_its_structure_set_itself(made):
    second = structure_set(made.uids)
    second.SOPInstanceUID += ".2"
    made.write("rs", structure_set(made.uids))
    made.write("rs2", second)
    data = dose(made.uids)
    data.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, second.SOPInstanceUID)])
    made.write("rd", data)
    assert read_case(made.folder).structures.path.name == "rs2"


@pytest.mark.requirement("R1")
def test_dose_in_another_frame_is_refused_even_where_uids_link(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    data = dose(made.uids)
    data.FrameOfReferenceUID = OTHER_FRAME
    made.write("rd", data)
    with pytest.raises(LinkError, match="different frames"):
        read_case(made.folder)
    with pytest.raises(LinkError, match="different frames"):
        read_case(rtstruct=made.folder / "rs", rtdose=made.folder / "rd")
    [files] = find_cases(made.folder)
    assert isinstance(files.problem, LinkError)
    vouched = read_case(made.folder, same_frame=True)
    assert "frame-of-reference-vouched" in codes(vouched)
    assert not vouched.structures["PTV"].is_empty


def test_missing_frame_of_reference_is_a_finding_and_no_refusal(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    data = dose(made.uids)
    del data.FrameOfReferenceUID
    made.write("rd", data)
    case = read_case(made.folder)
    assert "frame-of-reference-missing" in codes(case)
    assert not case.structures["PTV"].is_empty


def test_beam_doses_that_are_not_all_there_make_no_dose(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    made.write("rd1", dose(made.uids, summation="BEAM", beam=1))
    with pytest.raises(LinkError, match="beam 2 are missing"):
        read_case(made.folder)
    chosen = read_case(made.folder, rtdose=made.folder / "rd1")
    assert "dose-may-be-partial" in codes(chosen)


@pytest.mark.requirement("R3")
def test_a_beam_that_would_count_twice_is_not_summed(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    for number, beam in enumerate((1, 2, 2)):
        made.write(f"rd{number}", dose(made.uids, summation="BEAM", beam=beam, suffix=f".{number}"))
    with pytest.raises(LinkError, match="unknown"):
        read_case(made.folder)


def test_beam_doses_on_different_grids_are_not_summed(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    made.write("a", dose(made.uids, summation="BEAM", beam=1, suffix=".1"))
    made.write("b", dose(made.uids, summation="BEAM", beam=2, suffix=".2", keep=np.arange(12)))
    with pytest.raises(LinkError, match="different grids"):
        read_case(made.folder)


@pytest.mark.parametrize("kind", ["FRACTION_SESSION", "BEAM_SESSION", "CONTROL_POINT", "RECORD"])
def test_doses_of_part_of_a_treatment_are_refused(made, kind):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    made.write("rd", dose(made.uids, summation=kind))
    with pytest.raises(LinkError, match=kind):
        read_case(made.folder)


def test_fraction_dose_of_the_only_group_is_the_plans_dose(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    made.write("rd", dose(made.uids, summation="FRACTION"))
    case = read_case(made.folder)
    # FRACTION is one group over all its fractions (PS3.3 C.8.8.3): nothing is multiplied.
    assert case.dose.values_gy.max() == pytest.approx(dose_at(CENTRE_MM + DOSE_HALF_MM), abs=1e-6)
    assert "dose-of-fraction-group" not in codes(case)


def test_structures_without_dose_are_a_case(made):
    made.write("rs", structure_set(made.uids))
    case = read_case(made.folder)
    assert case.dose is None
    assert {"no-dose", "no-plan", "no-image"} <= codes(case)


def test_dose_without_structures_is_refused_with_what_to_do(made):
    made.write("rd", dose(made.uids))
    with pytest.raises(InputError, match="no structure") as caught:
        read_case(made.folder)
    assert "--rtstruct" in caught.value.remedy


def test_image_alone_says_what_is_missing(made):
    for number, data in enumerate(ct_slices(made.uids)):
        made.write(f"{number}", data)
    with pytest.raises(InputError, match="no structure set and no dose, only 9 CT"):
        read_case(made.folder)


def test_wrong_files_by_hand_are_named_by_option(made):
    made.write_plain()
    with pytest.raises(InputError, match="no RTSTRUCT but RTPLAN") as caught:
        read_case(made.folder, rtstruct=made.folder / "plan")
    assert "--rtstruct" in caught.value.remedy
    with pytest.raises(InputError, match="no such file"):
        read_case(made.folder, rtdose=made.folder / "nowhere")


@pytest.mark.requirement("R11")
def test_label_is_the_folder_and_never_the_patient(made):
    for tag in (1, 2):
        inner = MadeSet(made.folder / "site" / f"case{tag}", Uids(tag=tag, frame=f"1.2.3.{tag}"))
        inner.write_plain()
    assert [files.label for files in find_cases(made.folder)] == ["site/case1", "site/case2"]
    text = "".join(str(files) for files in find_cases(made.folder)) + dumps(asdict(inventory(made.folder)))
    assert "Doe" not in text
    assert "ID1" not in text


def test_case_files_can_be_handed_to_a_worker(made):
    made.write_plain()
    [files] = find_cases(made.folder)
    again = pickle.loads(pickle.dumps(files))
    assert again == files
    assert read_files(again).label == read_files(files).label


def test_image_is_taken_by_reference_among_several_in_one_frame(made):
    made.write_plain()
    for number, data in enumerate(ct_slices(Uids(tag=5))):
        made.write(f"other{number}", data)
    case = read_case(made.folder)
    assert case.image.series_instance_uid == made.uids.series
    assert len(case.image.paths) == 9
    for number in range(9):
        (made.folder / f"image{number}").unlink()
    assert "image-linked-by-frame" in codes(read_case(made.folder))
    for number, data in enumerate(ct_slices(Uids(tag=6))):
        made.write(f"third{number}", data)
    ambiguous = read_case(made.folder)
    assert ambiguous.image is None
    assert "image-ambiguous" in codes(ambiguous)


def test_image_chosen_by_folder(made):
    made.write("a/rs", structure_set(made.uids))
    for number, data in enumerate(ct_slices(Uids(tag=5))):
        made.write(f"b/{number}", data)
    case = read_case(made.folder / "a", image=made.folder / "b")
    assert case.image.grid.shape_zyx == (9, 24, 32)
    with pytest.raises(InputError, match="no CT"):
        read_case(made.folder / "a", image=made.folder / "a")


def test_localizers_are_no_slices(made):
    made.write_plain()
    scout = ct_slices(made.uids)[0]
    scout.SOPInstanceUID += ".77"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    made.write("scout", scout)
    assert len(read_case(made.folder).image.paths) == 9


def test_unusable_image_is_left_out_and_the_dvh_stays(made):
    made.write_plain()
    odd = ct_slices(made.uids)[0]
    odd.SOPInstanceUID += ".77"
    odd.PixelSpacing = [1, 1]
    made.write("odd", odd)
    # One file of another pixel size beside nine is left out, and told; among few nobody can say which are right.
    case = read_case(made.folder)
    assert len(case.image.paths) == 9
    assert "image-other-planes" in codes(case)
    for number, data in enumerate(ct_slices(made.uids)[1:6]):
        data.SOPInstanceUID += ".77"
        data.PixelSpacing = [1, 1]
        made.write(f"odd{number}", data)
    case = read_case(made.folder)
    assert case.image is None
    assert "image-unusable" in codes(case)
    assert case.dose is not None


ANGLE = np.deg2rad(20)
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
TO_OTHER = np.eye(4)
TO_OTHER[:3, :3], TO_OTHER[:3, 3] = TURN, [5.0, -12.0, 31.0]


def write_registered(made, *, into_dose_frame):
    """Structures and image as drawn in another frame, and the registration that joins it to the dose's."""
    other = Uids(frame=OTHER_FRAME)
    data = structure_set(other)
    for roi in data.ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3) @ TURN.T + TO_OTHER[:3, 3]
            contour.ContourData = [f"{v:.10f}"[:16] for v in points.ravel()]
    made.write("rs", data)
    made.write("rp", plan(made.uids))
    made.write("rd", dose(made.uids))
    if into_dose_frame:
        reg = registration(made.uids, source=OTHER_FRAME, target=made.uids.frame, matrix=np.linalg.inv(TO_OTHER))
    else:
        reg = registration(made.uids, source=made.uids.frame, target=OTHER_FRAME, matrix=TO_OTHER)
    made.write("reg", reg)


@pytest.mark.parametrize("into_dose_frame", [True, False])
def test_registration_brings_structures_into_the_doses_frame(made, tmp_path_factory, into_dose_frame):
    plain = read_case(MadeSet(tmp_path_factory.mktemp("plain")).write_plain().folder)
    write_registered(made, into_dose_frame=into_dose_frame)
    case = read_case(made.folder)
    assert "registration-applied" in codes(case)
    for name in ("PTV", "Organ"):
        for got, wanted in zip(case.structures[name].contours, plain.structures[name].contours, strict=True):
            assert got.points_mm == pytest.approx(wanted.points_mm, abs=1e-6)
        own, other = (compute_dvh(c.structures[name], c.dose) for c in (case, plain))
        assert own.mean_gy == pytest.approx(other.mean_gy, rel=1e-6)


def test_a_registration_may_bring_both_frames_into_a_third(made, tmp_path_factory):
    """PS3.3 C.20.2: each item maps its frame into the object's, which may be a third one."""
    plain = read_case(MadeSet(tmp_path_factory.mktemp("plain")).write_plain().folder)
    write_registered(made, into_dose_frame=True)
    lift = np.eye(4)
    lift[:3, 3] = [1.0, 2.0, 40.0]
    reg = registration(made.uids, source=OTHER_FRAME, target=made.uids.frame, matrix=lift @ np.linalg.inv(TO_OTHER))
    reg.FrameOfReferenceUID = "1.2.826.0.1.77"
    step = reg.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[0]
    step.FrameOfReferenceTransformationMatrix = [f"{v:.12g}" for v in lift.ravel()]
    made.write("reg", reg)
    case = read_case(made.folder)
    for got, wanted in zip(case.structures["PTV"].contours, plain.structures["PTV"].contours, strict=True):
        assert got.points_mm == pytest.approx(wanted.points_mm, abs=1e-6)


def test_registration_that_is_not_rigid_is_refused(made):
    write_registered(made, into_dose_frame=True)
    stretched = np.linalg.inv(TO_OTHER) @ np.diag([1.1, 1.0, 1.0, 1.0])
    made.write("reg", registration(made.uids, source=OTHER_FRAME, target=made.uids.frame, matrix=stretched))
    with pytest.raises(DicomReadError, match="no rigid movement"):
        read_case(made.folder)


def test_registrations_that_contradict_each_other_are_refused(made):
    write_registered(made, into_dose_frame=True)
    other = registration(Uids(tag=3), source=OTHER_FRAME, target=made.uids.frame, matrix=np.eye(4))
    made.write("reg2", other)
    with pytest.raises(LinkError, match="differently"):
        read_case(made.folder)


def test_registration_of_other_frames_does_not_help(made):
    write_registered(made, into_dose_frame=True)
    made.write("reg", registration(made.uids, source="1.2.3.4", target="1.2.3.5", matrix=np.eye(4)))
    with pytest.raises(LinkError, match="no registration joins"):
        read_case(made.folder)


def test_registration_given_by_hand(made):
    write_registered(made, into_dose_frame=True)
    files = {role: made.folder / name for role, name in (("rtstruct", "rs"), ("rtdose", "rd"), ("registration", "reg"))}
    assert "registration-applied" in codes(read_case(**files))


def write_two_groups(made, numbers):
    """A plan of two fraction groups, and a dose for each number given."""
    data = plan(made.uids, beams=(1,))
    second = deepcopy(data.FractionGroupSequence[0])
    second.FractionGroupNumber = 2
    data.FractionGroupSequence.append(second)
    made.write("rs", structure_set(made.uids))
    made.write("rp", data)
    for number in numbers:
        part = dose(made.uids, summation="FRACTION", beam=1, factor=0.5, suffix=f".{number}")
        group = part.ReferencedRTPlanSequence[0].ReferencedFractionGroupSequence[0]
        group.ReferencedFractionGroupNumber = number
        made.write(f"rd{number}", part)


def test_doses_of_all_fraction_groups_are_summed(made):
    write_two_groups(made, (1, 2))
    case = read_case(made.folder)
    assert {"doses-summed", "several-fraction-groups"} <= codes(case)
    assert case.fractions is None
    assert case.dose.values_gy.max() == pytest.approx(dose_at(CENTRE_MM + DOSE_HALF_MM), abs=1e-5)


def test_dose_of_one_fraction_group_of_two_is_refused(made):
    write_two_groups(made, (1,))
    with pytest.raises(LinkError, match="fraction groups"):
        read_case(made.folder)


def test_dose_of_several_plans_has_no_plan_of_its_own(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    data = dose(made.uids, summation="MULTI_PLAN")
    data.ReferencedRTPlanSequence.append(reference(STRUCTURE_SET_CLASS, "1.2.3.4"))
    made.write("rd", data)
    case = read_case(made.folder)
    assert case.plan is None
    assert {"several-plans", "linked-by-frame"} <= codes(case)


def test_plans_of_a_sum_name_the_structures_if_they_agree(made):
    made.write("rs", structure_set(made.uids))
    made.write("rp", plan(made.uids))
    second = plan(Uids(tag=2))
    second.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, made.uids.structures)])
    made.write("rp2", second)
    decoy = structure_set(made.uids)
    decoy.SOPInstanceUID += ".9"
    made.write("a_decoy", decoy)
    data = dose(made.uids, summation="MULTI_PLAN")
    data.ReferencedRTPlanSequence.append(reference(PLAN_CLASS, Uids(tag=2).plan))
    made.write("rd", data)
    case = read_case(made.folder)
    assert case.structures.path.name == "rs"
    assert "several-plans" in codes(case)
    # Both plans have this dose.
    assert not {"linked-by-frame", "plan-without-dose"} & codes(case)


def test_a_plan_whose_dose_was_not_chosen_is_not_said_to_have_none(made):
    made.write_plain()
    second = Uids(tag=2)
    other = plan(second)
    other.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, made.uids.structures)])
    made.write("plan2", other)
    made.write("dose2", dose(second, factor=0.5))
    for chosen in ({"rtplan": "plan"}, {"rtplan": "plan2"}, {"rtdose": "dose2"}):
        case = read_case(made.folder, **{option: made.folder / name for option, name in chosen.items()})
        assert "plan-without-dose" not in codes(case)


@pytest.mark.parametrize(("keyword", "value"), [("DoseUnits", "RELATIVE"), ("DoseUnits", ""), ("DoseType", "ERROR")])
def test_a_dose_that_is_none_in_gray_is_told_by_its_header_and_not_taken(made, keyword, value):
    made.write_plain()
    other = dose(made.uids, suffix=".7", factor=0.5)
    setattr(other, keyword, value)
    made.write("other", other)
    triples = {Path(t.rtdose[0]).name: t.problem for t in inventory(made.folder).triples}
    assert triples["dose"] is None
    assert keyword in triples["other"]
    case = read_case(made.folder)
    assert case.dose.paths[0].name == "dose"
    assert "other-candidates" in codes(case)
    with pytest.raises(DicomReadError, match=value or "missing"):
        read_case(made.folder, rtdose=made.folder / "other")


def test_two_plans_with_one_uid_that_differ_are_not_chosen_between(made):
    made.write_plain()
    made.write("plan2", plan(made.uids, dose_gy=44.0))
    with pytest.raises(LinkError, match="2 plans bear the same") as caught:
        read_case(made.folder)
    assert "--rtplan" in caught.value.remedy
    case = read_case(made.folder, rtplan=made.folder / "plan2")
    assert case.prescriptions[0].dose_gy == 44.0
    assert "same-uid-differs" in codes(case)


def test_two_structure_sets_with_one_uid_that_differ_are_not_chosen_between(made):
    made.write_plain()
    made.write("rs2", structure_set(made.uids, z_mm=np.array([40.0, 43.0])))
    with pytest.raises(LinkError, match="2 structure sets bear the same"):
        read_case(made.folder)


def test_dose_and_plan_that_disagree_on_structures_are_told(made):
    made.write_plain()
    data = dose(made.uids)
    data.ReferencedStructureSetSequence = Sequence([reference(STRUCTURE_SET_CLASS, "1.2.3.4")])
    made.write("dose", data)
    assert "structure-set-disagrees" in codes(read_case(made.folder))


@pytest.mark.parametrize("joined", [True, False])
def test_image_moves_with_the_registration_or_is_told_to_lie_elsewhere(made, joined):
    for number, data in enumerate(ct_slices(Uids(frame=OTHER_FRAME))):
        made.write(f"ct{number}", data)
    made.write("rs", structure_set(made.uids))
    made.write("rd", dose(made.uids))
    made.write("rp", plan(made.uids))
    if joined:
        made.write("reg", registration(made.uids, source=OTHER_FRAME, target=made.uids.frame, matrix=TO_OTHER))
    # The structure set names the series, whatever frame it lies in; the user may name the registration.
    files = {"registration": made.folder / "reg"} if joined else {}
    case = read_case(made.folder, **files)
    assert ("image-in-other-frame" in codes(case)) is not joined
    assert case.image.grid.plane_spacing_mm == pytest.approx(3.0)
    assert (case.image.frame_of_reference_uid == made.uids.frame) is joined
    if joined:
        corner = np.array([CENTRE_MM[0] - 46.5, CENTRE_MM[1] - 28.75, 36.0])
        assert case.image.grid.origin_mm == pytest.approx(TURN @ corner + TO_OTHER[:3, 3])


@pytest.mark.requirement("R1")
def test_files_of_different_patients_are_told(made):
    made.write_plain()
    other = structure_set(made.uids)
    other.PatientID = "somebody else"
    made.write("structures", other)
    case = read_case(made.folder)
    found = next(f for f in case.findings if f.code == "patients-differ")
    assert found.level.value == "serious"
    assert "somebody" not in found.message
    del other.PatientID, other.PatientName
    made.write("structures", other)
    assert "patients-differ" not in codes(read_case(made.folder))


@pytest.mark.parametrize(("keyword", "value"), [("PatientBirthDate", "19500102"), ("PatientSex", "M")])
def test_one_patient_id_of_two_people_is_told_without_naming_them(made, keyword, value):
    made.write_plain()
    drawn, planned = structure_set(made.uids), plan(made.uids)
    for made_set, said in ((drawn, {"PatientBirthDate": "19500101", "PatientSex": "F"}[keyword]), (planned, value)):
        setattr(made_set, keyword, said)
    made.write("structures", drawn)
    made.write("plan", planned)
    found = next(f for f in read_case(made.folder).findings if f.code == "patients-differ")
    assert (found.level.value, "one PatientID" in found.message) == ("serious", True)
    assert not {value, "19500101", "F"} & set(re.findall(r"\w+", found.message))
    # What one file leaves open is no contradiction.
    setattr(planned, keyword, "")
    made.write("plan", planned)
    assert "patients-differ" not in codes(read_case(made.folder))


@pytest.mark.parametrize(
    ("one", "other", "differing"),
    [
        ("Doe^Jane", "Roe^Jane", ("name",)),
        ("Doe^Jane", "DOE JANE ANN", ()),
        ("Müller^Ana", "MÜLLER, ANA", ()),
        ("Yamada^Tarou=山田^太郎", "YAMADA^TAROU", ()),
        ("Doe^Jane", "", ()),
    ],
)
def test_a_name_differs_by_its_words_and_not_by_how_it_is_written(one, other, differing):
    sets = []
    for name in (one, other):
        header = Dataset()
        header.SpecificCharacterSet = "ISO_IR 192"
        header.PatientName = name
        sets.append(header)
    assert unlike(person_of(header) for header in sets) == differing


def test_frames_shared_by_patients_are_told_apart_by_patient(made):
    for tag in (1, 2):
        uids = Uids(tag=tag)
        made.write(f"rs{tag}", structure_set(uids))
        made.write(f"rd{tag}", dose(uids))
    cases = find_cases(made.folder)
    assert [(c.rtstruct.name, c.rtdose[0].name, c.problem) for c in cases] == [
        ("rs1", "rd1", None),
        ("rs2", "rd2", None),
    ]


def test_broken_files_and_copies_are_told_where_they_lie(made):
    for tag in (1, 2):
        MadeSet(made.folder / f"case{tag}", Uids(tag=tag, frame=f"1.2.3.{tag}")).write_plain()
    (made.folder / "case1" / "broken").write_bytes((made.folder / "case1" / "plan").read_bytes()[:-9])
    made.write("case2/again", dose(Uids(tag=2, frame="1.2.3.2")))
    first, second = (codes(read_files(files)) for files in find_cases(made.folder))
    assert ("unreadable-files" in first, "duplicate-files" in first) == (True, False)
    assert ("unreadable-files" in second, "duplicate-files" in second) == (False, True)


def test_relative_and_absolute_names_mix(made, monkeypatch):
    made.write_plain()
    monkeypatch.chdir(made.folder.parent)
    case = read_case(made.folder.name, rtdose=made.folder / "dose", image=made.folder.name)
    assert case.label == made.folder.name
    assert len(case.image.paths) == 9
    monkeypatch.chdir(made.folder)
    assert read_case(".").label == made.folder.name
    assert read_case(rtstruct="structures", rtdose=made.folder / "dose").label == made.folder.name


def test_linking_takes_as_long_as_the_archive_is_large_and_no_longer(made):
    """Sixteen times as many cases take about sixteen times as long; a loop over all pairs would take 256 times."""
    made.write("rs", structure_set(made.uids))
    made.write("rd", dose(made.uids))
    made.write("rp", plan(made.uids))
    one = scan(made.folder)

    def archive(count):
        def renamed(entry, number):
            def other(uid):
                return f"{uid}.{number}" if uid else uid

            header = entry.header
            for name in ("frame_uids", "series_uids", "structure_set_uids", "plan_uids"):
                if hasattr(header, name):
                    header = replace(header, **{name: tuple(map(other, getattr(header, name)))})
            uids = {n: other(getattr(entry, n)) for n in ("sop_instance_uid", "frame_of_reference_uid")}
            return replace(entry, path=made.folder / str(number) / entry.path.name, header=header, **uids)

        return replace(one, entries=tuple(renamed(e, k) for k in range(count) for e in one.entries))

    def seconds(count):
        index, times = archive(count), []
        for _ in range(3):
            start = time.perf_counter()
            cases = link(index)
            times.append(time.perf_counter() - start)
        assert len(cases) == count
        assert all(files.problem is None for files in cases)
        return min(times)

    assert seconds(3200) < 80 * seconds(200)


def test_a_broken_file_of_one_patient_is_not_held_against_another(made):
    for tag in (1, 2):
        one = MadeSet(made.folder / f"case{tag}", Uids(tag=tag, frame=f"1.2.3.{tag}"))
        one.write("rs/1", structure_set(one.uids))
        one.write("rd/1", dose(one.uids))
    # The first has lost its plan for good, the second has a broken one.
    (made.folder / "case2" / "rp").mkdir()
    (made.folder / "case2" / "rp" / "1").write_bytes(encode(plan(Uids(tag=2)))[:-9])
    first, second = find_cases(made.folder)
    assert first.problem is None
    assert isinstance(second.problem, DicomReadError)
    assert second.problem.path.endswith("case2/rp/1")


def test_every_finding_of_the_readers_is_documented():
    root = Path(__file__).parents[2]
    documented = set(re.findall(r"^\| `([a-z-]+)`", (root / "docs" / "findings.md").read_text(), re.MULTILINE))
    written = re.compile(r'(?:code=|Level\.\w+,\s*)"([a-z-]+)"')
    used = {code for path in (root / "dvhkit" / "readers").rglob("*.py") for code in written.findall(path.read_text())}
    assert len(used) > 40
    assert used <= documented
