"""What another system made of a phantom, graded: metrics, stored DVHs and text exports, in each reading."""

import csv
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dvhkit.errors import InputError
from dvhkit.jobs.commission.grade_phantom import grade_phantom
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.catalogue import make_phantom, write_phantom

NAME = "margin-3mm"


@pytest.fixture(scope="module")
def rows():
    return [row for row in make_phantom(NAME).rows if row.reading == "solid"]


def write_csv(path, rows, factor=1.0):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["roi", "metric", "value"])
        table.writerows([[row.roi.upper(), row.metric, row.value * factor] for row in rows])
    return path


def test_true_values_are_within_and_names_in_other_letters_are_the_same_structures(tmp_path, rows):
    grade = grade_phantom(NAME, write_csv(tmp_path / "a.csv", rows))
    assert len(grade.values) == len(rows)
    assert grade.beyond == 0
    assert grade.not_in_phantom == ()


def test_values_five_percent_off_are_beyond_three(tmp_path, rows):
    grade = grade_phantom(NAME, write_csv(tmp_path / "a.csv", [r for r in rows if r.unit == "Gy"], 1.05))
    assert grade.beyond == len(grade.values) > 0
    assert all(value.deviation == pytest.approx(5.0) for value in grade.values)


def test_a_curve_exported_as_text_gives_the_metrics_of_the_curve(tmp_path, rows):
    truth = {(row.roi, row.metric): row.value for row in rows}
    volume = truth["PTV", "Volume[cc]"]
    points = [(truth["PTV", f"D{p:g}%[Gy]"], p) for p in (99, 98, 95, 80, 50, 20, 5, 2, 1)]
    doses = [0.0, truth["PTV", "Min[Gy]"], *(d for d, _ in points), truth["PTV", "Max[Gy]"]]
    cc = [volume, volume, *(volume * p / 100 for _, p in points), 0.0]
    text = "Structure,Dose (Gy),Volume (cc)\n" + "".join(
        f"PTV,{d:.6f},{v:.6f}\n" for d, v in zip(doses, cc, strict=True)
    )
    path = tmp_path / "dvh.csv"
    path.write_text(text)
    grade = grade_phantom(NAME, path, tolerance_pct=0.1)
    asked = {v.metric: v for v in grade.values if v.roi == "PTV"}
    for metric in ("D95%[Gy]", "D50%[Gy]", "D2%[Gy]"):
        assert asked[metric].within, asked[metric]
    assert asked["Volume[cc]"].measured == pytest.approx(volume, rel=1e-5)


POINTS = (99, 98, 95, 80, 50, 20, 5, 2, 1)


def true_curve(rows, roi):
    """The PTV's or CTV's true curve: doses in Gy, volumes in percent, and the volume in cc."""
    truth = {(row.roi, row.metric): row.value for row in rows}
    doses = [0.0, truth[roi, "Min[Gy]"], *(truth[roi, f"D{p:g}%[Gy]"] for p in POINTS), truth[roi, "Max[Gy]"]]
    return doses, [100.0, 100.0, *POINTS, 0.0], truth[roi, "Volume[cc]"]


def eclipse(rows, rois, plan="P1"):
    text = f"Type                 : Cumulative Dose Volume Histogram\n\nPlan: {plan}\nPrescribed dose [cGy]: 4000.0\n"
    for roi in rois:
        doses, volumes, cc = true_curve(rows, roi)
        text += f"\nStructure: {roi}\nPlan: {plan}\nVolume [cm³]: {cc:.4f}\n\n"
        text += "Dose [cGy] Ratio of Total Structure Volume [%]\n"
        text += "".join(f"{d * 100:10.4f} {v:10.4f}\n" for d, v in zip(doses, volumes, strict=True))
    return text


def raystation(rows, rois):
    text = "#PatientId:1\n#Dosename:P1\n"
    for roi in rois:
        doses, volumes, _ = true_curve(rows, roi)
        text += f"#RoiName:{roi}\n#Dose unit: cGy\n"
        text += "".join(f"{d * 100:.4f}\t{v}\n" for d, v in zip(doses, volumes, strict=True))
    return text


@pytest.mark.parametrize(("write", "in_cc"), [(eclipse, True), (raystation, False)])
def test_exports_of_planning_systems_are_graded_whether_or_not_they_state_the_volume(tmp_path, rows, write, in_cc):
    path = tmp_path / "dvh.txt"
    path.write_text(write(rows, ["PTV", "CTV"]), encoding="utf-8")
    grade = grade_phantom(NAME, path, tolerance_pct=0.1)
    asked = {(v.roi, v.metric): v for v in grade.values}
    for roi in ("PTV", "CTV"):
        for percent in POINTS:
            assert asked[roi, f"D{percent:g}%[Gy]"].within
        assert ((roi, "Volume[cc]") in asked) == in_cc
        assert any(metric.endswith("cc[Gy]") for name, metric in asked if name == roi) == in_cc


def test_several_plans_in_one_export_are_refused(tmp_path, rows):
    path = tmp_path / "dvh.txt"
    path.write_text(eclipse(rows, ["PTV"]) + eclipse(rows, ["PTV"], plan="P2").split("4000.0\n")[1], encoding="utf-8")
    with pytest.raises(InputError, match="PTV more than once"):
        grade_phantom(NAME, path)


def with_dvhs(folder, rows):
    """Write the phantom without its image and store the true curves in its dose; return the dose."""
    phantom = make_phantom(NAME).phantom
    paths = write_set(folder, replace(phantom, image=None))
    (path,) = [p for p in paths if pydicom.dcmread(p, stop_before_pixels=True).Modality == "RTDOSE"]
    data = pydicom.dcmread(path)
    data.DVHSequence = []
    for structure in phantom.structures:
        doses, volumes, cc = true_curve(rows, structure.name)
        item, ref = Dataset(), Dataset()
        item.DVHType, item.DoseUnits, item.DoseType, item.DVHVolumeUnits = "CUMULATIVE", "GY", "PHYSICAL", "CM3"
        item.DVHDoseScaling, item.DVHNumberOfBins = 1, len(doses)
        steps = np.diff([*doses, doses[-1] + 0.01])  # bins are widths, each with the volume at its lower edge
        item.DVHData = [f"{n:.6f}" for step, v in zip(steps, volumes, strict=True) for n in (step, v * cc / 100)]
        ref.ReferencedROINumber, ref.DVHROIContributionType = structure.number, "INCLUDED"
        item.DVHReferencedROISequence = [ref]
        data.DVHSequence.append(item)
    data.save_as(path)
    return path


def all_within(grade):
    asked = {(v.roi, v.metric): v for v in grade.values}
    return all(asked[roi, f"D{p:g}%[Gy]"].within for roi in ("GTV", "CTV", "PTV") for p in POINTS)


def test_dvhs_stored_in_a_dose_are_graded_by_roi_number(tmp_path, rows):
    grade = grade_phantom(NAME, with_dvhs(tmp_path, rows), tolerance_pct=0.1)
    assert grade.source == "RTDOSE with DVHs"
    assert all_within(grade)


def test_numbers_are_those_of_the_set_beside_the_dose_or_beside_the_truth_whatever_folders_are_called(tmp_path, rows):
    write_phantom(tmp_path / "as sent", NAME)
    dose = with_dvhs(tmp_path / "export", rows)
    alone = tmp_path / "alone" / "RD.dcm"
    alone.parent.mkdir()
    alone.write_bytes(dose.read_bytes())
    assert all_within(grade_phantom(tmp_path / "as sent", alone, tolerance_pct=0.1))
    # A system that numbers structures anew exports the set that it numbered.
    for path, key in ((dose, "DVHSequence"), (next(dose.parent.glob("RTSTRUCT*")), "StructureSetROISequence")):
        data = pydicom.dcmread(path)
        for item in data[key].value:
            ref = item.DVHReferencedROISequence[0] if key == "DVHSequence" else item
            tag = "ReferencedROINumber" if key == "DVHSequence" else "ROINumber"
            setattr(ref, tag, int(getattr(ref, tag)) + 40)
        for item in (*data.get("ROIContourSequence", ()), *data.get("RTROIObservationsSequence", ())):
            item.ReferencedROINumber = int(item.ReferencedROINumber) + 40
        data.save_as(path)
    assert all_within(grade_phantom(tmp_path / "as sent", dose, tolerance_pct=0.1))


def test_a_file_of_another_phantom_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("roi,metric,value\nHeart,Mean[Gy],3\n")
    with pytest.raises(InputError, match="no value of this phantom"):
        grade_phantom(NAME, path)
    with pytest.raises(InputError, match="neither a phantom"):
        grade_phantom("cube", path)


def test_margins_and_pairs_have_the_overlap_of_two_balls_by_sampling():
    made = make_phantom("pair-shifted")
    dice = next(row.value for row in made.rows if row.metric == "dice")
    grid = np.stack(np.meshgrid(*[np.linspace(-22, 22, 180)] * 3, indexing="ij"), axis=-1)
    a, b = (np.linalg.norm(grid - shift, axis=-1) <= 15.0 for shift in ([0, 0, 0], [3.0, -4.0, 0.0]))
    assert dice == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()), abs=2e-3)
