"""What another system made of a phantom, graded: metrics, stored DVHs and text exports, in each reading."""

import csv

import numpy as np
import pytest

from dvhkit.errors import InputError
from dvhkit.jobs.commission.grade_phantom import grade_phantom
from dvhkit.phantoms.sets.catalogue import make_phantom

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
