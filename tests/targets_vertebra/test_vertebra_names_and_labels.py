"""Names that stand for parts of vertebrae, and label maps whatever way their axes run."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from dvhkit.errors import InputError
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.vertebra import PART_NUMBER, VertebraPhantom
from dvhkit.targets.vertebra.labels.label_maps import LabelTableError, load_label_table, read_label_map, table_paths
from dvhkit.targets.vertebra.labels.names import NamedPart, parse_level, parse_name, structure_name
from dvhkit.targets.vertebra.rules import Compartment


@pytest.mark.parametrize(
    ("name", "part", "level"),
    [
        ("VB_T07", "body", "T07"),
        ("zPed_T07_L", "pedicle_L", "T07"),
        ("Pedicle L3 R", "pedicle_R", "L03"),
        ("lamina-left-L3", "lamina_L", "L03"),
        ("Th12_TP_re", "transverse_R", "T12"),
        ("SpinousProcess_D8", "spinous", "T08"),
        ("vertebrae_L3", "vertebra", "L03"),
        ("L3", "vertebra", "L03"),
        ("Spinal Canal", "canal", ""),
        ("SpinalCord", "cord", ""),
        ("PedicleL_L3", "pedicle_L", "L03"),
        ("Left pedicle of L3", "pedicle_L", "L03"),
        ("Querfortsatz L3 li", "transverse_L", "L03"),
        ("Processus spinosus T7", "spinous", "T07"),
        ("L3_VB", "body", "L03"),
    ],
)
def test_names_are_understood(name, part, level):
    assert parse_name(name) == NamedPart(part, level)


@pytest.mark.parametrize(
    "name", ["Liver", "PTV_L3", "Kidney_L", "Lamina", "L3-L4", "CTV", "Lung_L", "L9", "T14", "HumeralR", ""]
)
def test_other_names_are_left_alone(name):
    assert parse_name(name) is None


def test_written_names_are_short_and_read_back():
    for part in Compartment:
        name = structure_name(part, "T12")
        assert len(name) <= 16
        assert parse_name(name) == NamedPart(part, "T12")


def test_tables_hold_each_level_once():
    for name in table_paths():
        table = load_label_table(name)
        assert len(set(table.vertebrae.values())) == len(table.vertebrae)
        assert {
            parse_level(f"{r}{n}") for r, last in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, last + 1)
        } <= set(table.vertebrae.values())
        assert table.source


def test_a_faulty_table_is_refused_with_its_line(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("id: own\nvertebrae:\n  1: L1\nregions:\n  2: arm\n", encoding="utf-8")
    with pytest.raises(LabelTableError, match="arm") as caught:
        load_label_table(path)
    assert caught.value.where == "line 4"
    with pytest.raises(LabelTableError, match="tptbox"):
        load_label_table("tptbx")


def written(path, grid, labels, orientation):
    """Store labels as other programs do: axes in another order and direction, with the geometry to match."""
    image = sitk.GetImageFromArray(labels)
    image.SetOrigin((grid.origin_mm + grid.offsets_mm[0] * grid.normal).tolist())
    image.SetSpacing((*grid.spacing_mm.tolist(), grid.plane_spacing_mm))
    image.SetDirection(grid.axes.T.ravel().tolist())
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "ASL"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_labels_lie_at_the_same_patient_points_however_they_are_stored(tmp_path, orientation, suffix):
    phantom = VertebraPhantom(tilt_deg=(5, 3, 2), centre_mm=(11.0, -20.0, 300.0))
    grid = axial_grid(shape_zyx=(36, 100, 110), spacing_xyz_mm=(1.1, 1.2, 3.0), first_xyz_mm=(-45.0, -70.0, 245.0))
    labels = phantom.labels_on(grid)
    read = read_label_map(written(tmp_path / f"labels{suffix}", grid, labels, orientation))
    assert np.array_equal(phantom.labels_on(read.grid), read.labels)
    assert np.count_nonzero(read.labels == PART_NUMBER[Compartment.PEDICLE_L]) > 50


def test_what_is_no_label_map_is_refused(tmp_path):
    probability = sitk.GetImageFromArray(np.full((4, 5, 6), 0.4, dtype=np.float32))
    sitk.WriteImage(probability, str(tmp_path / "p.nii.gz"))
    with pytest.raises(InputError, match="labels"):
        read_label_map(tmp_path / "p.nii.gz")
    (tmp_path / "broken.nii.gz").write_bytes(b"no image at all")
    with pytest.raises(InputError, match="cannot be read"):
        read_label_map(tmp_path / "broken.nii.gz")
    with pytest.raises(InputError, match="no such file"):
        read_label_map(tmp_path / "absent.nii.gz")
    (tmp_path / "scan.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="no label map"):
        read_label_map(tmp_path / "scan.txt")
