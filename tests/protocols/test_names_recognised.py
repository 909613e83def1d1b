"""What clinics write, what it means, and what the geometry says against it."""

import numpy as np
import pytest

from dvhkit.errors import InputError
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.files.load import load_protocol
from dvhkit.protocols.naming.aliases import aliases_yaml, learned, load_aliases, with_aliases
from dvhkit.protocols.naming.names import match_name
from dvhkit.protocols.naming.organs import known_names
from dvhkit.protocols.naming.recognise import Placed, name_findings, recognise
from dvhkit.results.rules.names import Recognition


def facts(*names):
    return [StructureFact(name=name, number=i) for i, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("written", "standard", "how"),
    [
        ("Kidney_L", "Kidney_L", Recognition.EXACT),
        ("spinal cord", "SpinalCord", Recognition.SPELLING),
        ("BRAINSTEM", "Brainstem", Recognition.SPELLING),
        ("Lt Lung", "Lung_L", Recognition.RULE),
        ("LUNG RIGHT", "Lung_R", Recognition.RULE),
        ("Femoral Head Rt", "Femur_Head_R", Recognition.RULE),
        ("FemoralHead_L", "Femur_Head_L", Recognition.RULE),
        ("kidney-l", "Kidney_L", Recognition.RULE),
        ("Left Optic Nerve", "OpticNrv_L", Recognition.RULE),
        ("Oesophagus", "Esophagus", Recognition.RULE),
        ("Small Bowel", "Bowel_Small", Recognition.RULE),
        ("Myelon", "SpinalCord", Recognition.RULE),
        ("PTV_High", "PTV_High", Recognition.TARGET),
        ("SpinalCord_PRV05", "SpinalCord_PRV05", Recognition.DERIVED),
        ("Cord PRV 5mm", "SpinalCord_PRV05", Recognition.DERIVED),
        ("parotid_l_prv3", "Parotid_PRV03_L", Recognition.DERIVED),
        ("Lt Kidney PRV", "Kidney_PRV_L", Recognition.DERIVED),
        ("OpticNrv_PRV03_L", "OpticNrv_PRV03_L", Recognition.DERIVED),
        ("SpinalCord_PRV105", "SpinalCord_PRV105", Recognition.DERIVED),
        ("Lung~_L", "Lung~_L", Recognition.DERIVED),
        ("liver~", "Liver~", Recognition.DERIVED),
        ("A_LAD", "A_LAD", Recognition.EXACT),
        ("bowel_large", "Bowel_Large", Recognition.SPELLING),
        ("Left Atrium", "Atrium_L", Recognition.RULE),
        ("vertebrae_L1", "VB_L1", Recognition.RULE),
        ("vertebrae_T4", "VB_T04", Recognition.RULE),
        ("inferior_vena_cava", "V_Venacava_I", Recognition.RULE),
        ("urinary_bladder", "Bladder", Recognition.RULE),
        ("kidney_left", "Kidney_L", Recognition.RULE),
        ("rib_right_3", "Rib03_R", Recognition.RULE),
        ("Scar_PRV05", "", Recognition.NONE),
        ("zCord_PRV05", "", Recognition.HELPER),
        ("Liver-GTV", "Liver-GTV", Recognition.DERIVED),
        ("Lung L - itv", "Lung_L-ITV", Recognition.DERIVED),
        ("ptv high", "PTV_High", Recognition.TARGET),
        ("PTV 60", "PTV_60", Recognition.TARGET),
        ("PTV_5040", "PTV_5040", Recognition.TARGET),
        ("VB_T07", "VB_T07", Recognition.EXACT),
        ("vb_l3", "VB_L3", Recognition.SPELLING),
        ("zRing", "", Recognition.HELPER),
        ("Medulla oblongata", "", Recognition.NONE),
        ("Lung L R", "", Recognition.NONE),
        ("Lung 2", "", Recognition.NONE),
        ("Scar", "", Recognition.NONE),
    ],
)
def test_names_are_recognised_by_rule(written, standard, how):
    (row,) = recognise(facts(written))
    assert (row.standard, row.how) == (standard, how)


def test_what_looks_alike_is_suggested_only():
    (row,) = recognise(facts("Spinl_Crd"))
    assert (row.standard, row.suggestion) == ("", "SpinalCord")
    (row,) = recognise(facts("Kidny_R"))
    assert (row.standard, row.suggestion) == ("", "Kidney_R")
    (row,) = recognise(facts("Qwxz"))
    assert row.suggestion == ""


def test_the_clinics_alias_comes_first():
    (row,) = recognise(facts("Niere links"), {"Kidney_L": ("niere  Links",)})
    assert (row.standard, row.how) == ("Kidney_L", Recognition.CLINIC)


def test_an_entry_written_from_the_clinics_end_means_the_tg_263_name_in_it():
    turned = {"Leber": ("Liver", "Hepar"), "Niere links": ("Kidney_L",)}
    rows = recognise(facts("Liver", "Leber", "Hepar", "niere links", "Kidney_L"), turned)
    assert [row.standard for row in rows] == ["Liver", "Liver", "Liver", "Kidney_L", "Kidney_L"]
    assert rows[0].how is Recognition.EXACT
    assert "alias-overrides-name" not in {f.code for f in name_findings(rows[:1], ())}


def test_geometry_speaks_against_names():
    rows = recognise(facts("Kidney_L", "Right Kidney", "Lung_L", "Lung_R", "Lens_L", "lung l"))
    placed = [
        Placed(roi="Kidney_L", volume_cc=150, x_mm=-60),
        Placed(roi="Right Kidney", volume_cc=150, x_mm=55),
        Placed(roi="Lung_L", volume_cc=1500, x_mm=70),
        Placed(roi="Lung_R", volume_cc=1700, x_mm=-70),
        Placed(roi="Lens_L", volume_cc=30, x_mm=30),
    ]
    found = name_findings(rows, placed)
    assert {(f.code, f.where) for f in found} == {
        ("sides-swapped", "Kidney_L"), ("implausible-volume", "Lens_L"), ("one-meaning-twice", "lung l"),
    }  # fmt: skip


def test_names_that_fit_their_geometry_are_left_alone():
    rows = recognise(facts("Kidney_L", "Kidney_R"))
    placed = [Placed(roi="Kidney_L", volume_cc=150, x_mm=60), Placed(roi="Kidney_R", volume_cc=150, x_mm=-60)]
    assert name_findings(rows, placed) == ()


@pytest.mark.parametrize(
    ("name", "x_mm", "doubtful"),
    [
        ("Kidney_L", 60, False), ("Kidney_L", -60, True), ("Kidney_R", -60, False), ("Kidney_R", 60, True),
        ("Kidney_L", -5, False), ("Heart", -60, False),
    ],
)  # fmt: skip
def test_a_lone_side_is_held_against_the_middle_of_the_body(name, x_mm, doubtful):
    """The body's middle is 10 mm to the left of the origin: nothing is measured from 0."""
    placed = [Placed(roi="BODY", volume_cc=20000, x_mm=10), Placed(roi=name, volume_cc=350, x_mm=x_mm + 10)]
    codes = {finding.code for finding in name_findings(recognise(facts("BODY", name)), placed)}
    assert codes == ({"side-doubtful"} if doubtful else set())


@pytest.mark.parametrize(
    ("name", "volume_cc", "odd"), [("Liver", 120, True), ("Liver", 900, False), ("Liver~", 120, False)]
)
def test_an_organ_that_is_drawn_in_part_is_told(name, volume_cc, odd):
    found = name_findings(recognise(facts(name)), [Placed(roi=name, volume_cc=volume_cc, x_mm=0)])
    assert [finding.code for finding in found] == (["implausible-volume"] if odd else [])


# --- the clinic's alias file ----------------------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "aliases.yaml"
        path.write_text(text, encoding="utf-8")
        return load_aliases(path)

    return load


def test_an_alias_file_grows_and_reads_back(load):
    aliases = learned(load("SpinalCord: [Medulla]\n"), "Kidney_L", "Niere links")
    aliases = learned(aliases, "SpinalCord", "Rückenmark")
    assert load(aliases_yaml(aliases)) == {"Kidney_L": ("Niere links",), "SpinalCord": ("Medulla", "Rückenmark")}
    assert learned(aliases, "Kidney_L", "Niere links") == aliases


@pytest.mark.parametrize(
    ("name", "spelling"), [("Kidney_L", "Kidney right"), ("Heart", "Medulla"), ("Heart", "spinalcord"), ("", "x")]
)
def test_an_alias_that_would_swap_organs_is_not_learned(name, spelling):
    with pytest.raises(InputError):
        learned({"SpinalCord": ("Medulla",)}, name, spelling)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SpinalCord: Medulla\n", 1),
        ("SpinalCord: [Medulla]\nHeart: [medulla]\n", 2),
        ("SpinalCord: []\nKidney_L: [Kidney Rt]\n", 2),
        ("Heart: [SpinalCord]\nSpinalCord: [Cord]\n", 2),
        ("SpinalCord: [5]\n", 1),
    ],
)
def test_a_broken_alias_file_names_its_line(load, text, line):
    with pytest.raises(InputError) as caught:
        load(text)
    assert caught.value.where == f"line {line}"


def test_a_protocol_takes_the_clinics_spellings_beside_its_own():
    protocol = with_aliases(load_protocol("tg101-2010"), {"SpinalCord": ("Medulla", "Cord"), "Heart": ("Cor",)})
    assert protocol.aliases_of("SpinalCord") == ("Cord", "Spinal_Cord", "Medulla")
    assert match_name("Heart", facts("cor"), protocol.aliases_of("Heart")).found


def test_at_least_three_hundred_names_of_anatomy_are_known_each_once_and_short():
    names = known_names()
    assert len(names) == len(set(names))
    assert len(names) >= 300 + len([name for name in names if name.startswith("VB_")])
    assert {"Femur_L", "Glnd_Adrenal_L", "V_Venacava_I", "Atrium_L", "A_LAD", "Bowel_Large"} <= set(names)
    assert all(len(name) <= 16 and " " not in name for name in names)


def test_areas_and_centres_of_contours_are_those_of_their_polygons():
    from shapely import Polygon

    from dvhkit.protocols.naming.placed import _areas_and_centres

    outlines = [[(0, 0), (7, 1), (6, 5), (1, 4)], [(10, 10), (12, 10), (12, 13)], [(-3, -3), (-3, 1), (4, 1), (4, -3)]]
    contours = [np.array([(x, y, 5.0 * n) for x, y in outline]) for n, outline in enumerate(outlines)]
    lines = [np.array([(1.0, 2.0, 3.0), (3.0, 2.0, 3.0)])]  # bounds no area: the mean of its points
    areas, centres = _areas_and_centres([*contours, *lines])
    for n, outline in enumerate(outlines):
        polygon = Polygon(outline)
        assert abs(areas[n, 2]) == pytest.approx(polygon.area)
        assert centres[n] == pytest.approx((polygon.centroid.x, polygon.centroid.y, 5.0 * n))
    assert centres[-1] == pytest.approx((2.0, 2.0, 3.0))
