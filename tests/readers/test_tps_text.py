from contextlib import suppress

import numpy as np
import pytest

from dvhkit.errors import InputError
from dvhkit.readers.tps_text.read import read_tps_dvhs

ECLIPSE = """Patient Name         : A, B
Type                 : Cumulative Dose Volume Histogram

Plan: P1
Course: C1
Prescribed dose [cGy]: 5000.0
% for dose (%): 95.0

Structure: PTV 50
Plan: P1
Volume [cm³]: 123.4
Min Dose [%]: 95.0
Max Dose [cGy]: 5400.0
Mean Dose [cGy]: 5100.0
Median Dose [cGy]: 5110.0

Relative dose [%]           Dose [cGy] Ratio of Total Structure Volume [%]
                 0                   0                     100
                50                2500                     100
               100                5000                    60.5
               108                5400                       0
"""
SUM = """Plansumme: Summe
Verschriebene Dosis [Gy]: nicht definiert
% für Dosis (%): nicht definiert

Struktur: Lunge li
Volumen [cm³]: 1.234,5
Mittlere Dosis [Gy]: 12,3

Dosis [Gy]   Verhältnis zum Gesamtstrukturvolumen [%]
0,0   100,0
10,0   50,5
40,0   0,0
"""
RAYSTATION = """#PatientId:1
#Dosename:P1
#RoiName:PTV
#Dose unit: cGy
0\t100
5000\t50
5200\t0
#RoiName:Lung L
#RoiVolume: 1234.5
#Unit: Gy
0\t100
20\t0
"""
MONACO = """Patient ID: X~1 | Plan Name: P | Bin Width: 0.1(Gy) | Dose Units: Gy | Volume Units: cm3
Structure Name            Dose        Volume

Spinal Cord     0.0   20.0
Spinal Cord     10.0  5.0
Spinal Cord     20.0  0.0
"""


def read(tmp_path, text, encoding="utf-8", name="dvh.txt"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return read_tps_dvhs(path)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_eclipse_is_read_in_any_encoding_with_doses_in_gy(tmp_path, encoding):
    kind, (curve,) = read(tmp_path, ECLIPSE, encoding)
    assert kind == "Eclipse"
    np.testing.assert_allclose(curve.dose_gy, [0, 25, 50, 54])
    # 95 % of the full dose is the prescription of 50 Gy.
    assert (curve.volume_cc, curve.min_gy, curve.mean_gy, curve.max_gy) == (123.4, pytest.approx(50.0), 51.0, 54.0)


def test_one_structure_of_two_plans_is_two_curves(tmp_path):
    block = ECLIPSE[ECLIPSE.index("Structure:") :]
    boost = block.replace("Plan: P1", "Plan: P2").replace("2500", "900").replace("5400", "2000").replace("5000", "1900")
    _, curves = read(tmp_path, ECLIPSE + "\n" + boost)
    assert [(curve.roi, curve.plan, curve.max_gy) for curve in curves] == [
        ("PTV 50", "P1", 54.0),
        ("PTV 50", "P2", 20.0),
    ]


def test_a_german_plan_sum_without_prescription_is_read_with_its_commas(tmp_path):
    _, (curve,) = read(tmp_path, SUM, "cp1252")
    assert (curve.roi, curve.volume_cc, curve.mean_gy) == ("Lunge li", 1234.5, 12.3)
    np.testing.assert_allclose(curve.volume, [100, 50.5, 0])


def test_a_differential_export_becomes_the_cumulative_curve(tmp_path):
    head = ECLIPSE[: ECLIPSE.index("Relative dose")] + "Dose [cGy] dVolume / dDose [% / cGy]\n"
    rows = "\n".join(f"{50 * n} {100 / 5000}" for n in range(101))
    _, (curve,) = read(tmp_path, head + rows)
    np.testing.assert_allclose(np.interp(25.0, curve.dose_gy, curve.volume), 50.5, atol=0.1)


def test_doses_in_percent_of_nothing_are_told_and_not_guessed(tmp_path):
    text = SUM.replace("Dosis [Gy]   Verh", "Relative Dosis [%]   Verh")
    _, (curve,) = read(tmp_path, text, "cp1252")
    assert "prescription" in curve.unusable


def test_both_generations_of_raystation_headers_are_read(tmp_path):
    kind, curves = read(tmp_path, RAYSTATION)
    assert kind == "RayStation"
    assert [c.dose_gy[-1] for c in curves] == [52.0, 20.0]
    assert curves[1].volume_cc == 1234.5


def raystation_file(n_rois, n_rows=200):
    def block(k):
        share = 100.0 * (1.0 - (np.arange(n_rows) / (n_rows - 1)) ** (2 + k))
        rows = "".join(f"{10.0 * n:.2f}\t{v:.4f}\n" for n, v in enumerate(share))
        return f"#RoiName:Organ {k}\n#Dose unit: cGy\n{rows}"

    return "#PatientId:1\n#Dosename:P1\n" + "".join(map(block, range(n_rois)))


@pytest.mark.parametrize("n_rois", [1, 2, 5])
def test_a_raystation_file_cut_off_anywhere_in_its_last_curve_is_refused_or_told(tmp_path, n_rois):
    whole = raystation_file(n_rois)
    _, curves = read(tmp_path, whole)
    assert not any(curve.doubt for curve in curves)
    begins = whole.index("0.00\t", whole.index(f"Organ {n_rois - 1}"))
    cuts = np.linspace(begins + 8, len(whole) - 20, 60).astype(int)
    for cut in cuts:
        if n_rois > 1:
            with pytest.raises(InputError):
                read(tmp_path, whole[:cut])
            continue
        with suppress(InputError):
            _, curves = read(tmp_path, whole[:cut])
            assert "cut off" in curves[-1].doubt, whole[cut - 40 : cut]


@pytest.mark.parametrize("n_rois", [1, 3])
def test_a_last_number_that_lost_its_digits_is_told(tmp_path, n_rois):
    whole = raystation_file(n_rois)
    at = next(n for n in range(len(whole) - 2, 0, -1) if whole[n : n + 3] == "\t1.")
    _, curves = read(tmp_path, whole[:at] + "\t0.")
    assert "cut off" in curves[-1].doubt
    assert not any(curve.doubt for curve in curves[:-1])


def test_a_raystation_file_cut_off_in_a_header_is_refused(tmp_path):
    whole = raystation_file(3)
    with pytest.raises(InputError, match="cut off"):
        read(tmp_path, whole[: whole.index("Organ 2") + 3])


@pytest.mark.parametrize("last_pct", ["0.5\n", "0.05", "0"])
def test_a_curve_whose_last_bin_is_not_followed_by_0_is_no_cut(tmp_path, last_pct):
    rows = "0\t100\n1000\t60\n2000\t12\n2100\t4\n2200\t1.3\n2300\t" + last_pct
    _, (curve,) = read(tmp_path, "#RoiName:A\n#Dose unit: cGy\n" + rows)
    assert not curve.doubt


def test_monaco_names_may_hold_blanks(tmp_path):
    kind, (curve,) = read(tmp_path, MONACO)
    assert (kind, curve.roi, curve.in_cc, curve.volume_cc) == ("Monaco", "Spinal Cord", True, 20.0)


@pytest.mark.parametrize(
    "text",
    [
        "ROI,Dose (Gy),Volume (%)\nPTV,0,100\nPTV,50,40\nPTV,60,0\n",
        "Dose (cGy),PTV (%),Cord (cc)\n0,100,20\n5000,40,5\n6000,0,0\n",
        "Structure,Volume (cc),Dose (cGy),Volume (%)\nPTV,12.5,0,100\nPTV,12.5,5000,40\nPTV,12.5,6000,0\n",
        "Dose Units,cGy\nVolume Units,%\nDose,PTV,Cord\n0,100,100\n5000,40,10\n6000,0,0\n",
        "roi_name;dose_gy;volume_pct\nPTV;0;100\nPTV;50,0;40\nPTV;60;0\n",
        "RegionOfInterestName,DoseBin(cGy),Volume(%)\nPTV,0,100\nPTV,5000,40\nPTV,6000,0\nCord,0,100\nCord,10,0\n",
    ],
)
def test_tables_of_any_layout_give_the_same_curve(tmp_path, text):
    _, curves = read(tmp_path, text, name="dvh.csv")
    assert curves[0].roi == "PTV"
    np.testing.assert_allclose(curves[0].dose_gy, [0, 50, 60])
    np.testing.assert_allclose(curves[0].volume, [100, 40, 0])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (ECLIPSE.replace("60.5", "6x.5"), 20),
        (ECLIPSE.replace("2500 ", "2500 77 "), 19),
        (ECLIPSE.replace(" 100\n                50", " 130\n                50"), 18),
        (ECLIPSE.replace("108                5400", "40                2000"), 21),
        (ECLIPSE[: ECLIPSE.index("Relative dose")], 9),
        (RAYSTATION.replace("5000\t50", "5000"), 6),
        (RAYSTATION.replace("#Dose unit: cGy\n", ""), 3),
        (MONACO.replace("Spinal Cord     20.0  0.0\n", ""), 5),
    ],
)
def test_a_damaged_file_is_refused_with_its_line_and_a_reason(tmp_path, text, line):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert caught.value.where == f"line {line}"
    assert "dvh.txt" in caught.value.path


def test_a_table_that_ends_short_of_the_stated_greatest_dose_is_cut_off(tmp_path):
    rows = "\n".join(f"{n}  {50 * n}  {100 - 0.97 * n:.1f}" for n in range(101))
    text = ECLIPSE[: ECLIPSE.index("                 0 ")] + rows
    with pytest.raises(InputError, match=r"ends at 50 Gy.*54 Gy"):
        read(tmp_path, text)


def test_a_table_of_one_structure_takes_its_name_from_the_lines_before(tmp_path):
    text = "#Region of interest: Cord\n#Dose units: cGy\nDose,Volume\n0,100\n3000,98\n6100,0\n"
    _, (curve,) = read(tmp_path, text, name="dvh.csv")
    assert (curve.roi, curve.dose_gy[-1]) == ("Cord", 61.0)


def test_uncertainty_scenarios_of_one_structure_are_told_apart_from_the_nominal_curve(tmp_path):
    table = ECLIPSE[ECLIPSE.index("Relative dose") :]
    _, (nominal, scenario) = read(tmp_path, f"{ECLIPSE}\nUncertainty plan: U1 (X: 0.3 cm)\n\n{table}")
    assert (nominal.unusable, "U1" in scenario.unusable) == ("", True)


@pytest.mark.parametrize(
    "words",
    [
        "Piano|Dose prescritta|% per dose|Struttura|Volume|Dose minima|Dose massima|Dose media|Dose mediana",
        "Somma piani|Dose prescritta|% per dose|Struttura|Volume|Dose minima|Dose massima|Dose media|Dose mediana",
        "Suma de planes|Dosis prescrita|% para dosis|Estructura|Volumen|Dosis mínima|Dosis máxima|Dosis media|Mediana",
        "Plano|Dose prescrita|% para dose|Estrutura|Volume|Dose mín.|Dose máx.|Dose média|Dose mediana",
        "Plansom|Voorgeschreven dosis|% voor dosis|Structuur|Volume|Min. dosis|Max. dosis|Gemiddelde dosis|Mediaan",
        "Plansumma|Ordinerad dos|% för dos|Struktur|Volym|Min dos|Max dos|Medeldos|Mediandos",
        "Plan|Dawka przepisana|% dla dawki|Struktura|Objętość|Dawka min.|Dawka maks.|Dawka średnia|Dawka mediana",
        "プラン|処方線量|% 線量|構造|体積|最小線量|最大線量|平均線量|中央線量",
    ],
)
def test_eclipse_is_read_in_the_language_of_its_user(tmp_path, words):
    plan, rx, iso, structure, volume, least, most, mean, median = words.split("|")
    text = f"""{plan} : P1
{rx} [Gy]: 40,0
{iso} (%): 80,0

{structure} : Rene sin.
{volume} [cm³]: 1.234,5
{median} [Gy]: 9,0
{least} [%]: 2,0
{most} [Gy]: 50,0
{mean} [%]: 25,0

{rx.split()[0]} [%]   {volume} [cm³]
0,0   1234,5
20,0   500,0
100,0   0,0
"""
    _, (curve,) = read(tmp_path, text)
    assert (curve.roi, curve.plan, curve.volume_cc) == ("Rene sin.", "P1", 1234.5)
    assert (curve.min_gy, curve.max_gy, curve.mean_gy) == (1.0, 50.0, 12.5)
    np.testing.assert_allclose(curve.dose_gy, [0, 10, 50])
