"""Two sets brought together: registrations in a chain, names that several bear, doses in a third frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SpatialRegistrationStorage, generate_uid
from shapes_drawn import sphere

from dvhkit.errors import DicomReadError, LinkError
from dvhkit.jobs.contours.compare import compare_structures
from dvhkit.jobs.contours.structure_sets import pair_structures, read_pairs
from dvhkit.model.structure import StructureSet
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomDose, PhantomSet, axial_grid, voxel_centres_mm
from dvhkit.readers.registration import read_chain

SHIFT_MM = np.array([30.0, -12.0, 7.0])


def registration(path, frame, other, shift_mm):
    """Write a registration that takes points of `other` into `frame` by a shift."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SpatialRegistrationStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.PatientID, data.FrameOfReferenceUID = "REG", "DEMO-0000", frame
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.RegistrationSequence = []
    for uid, shift in ((frame, np.zeros(3)), (other, np.asarray(shift_mm))):
        matrix = np.eye(4)
        matrix[:3, 3] = shift
        step, steps, item = Dataset(), Dataset(), Dataset()
        step.FrameOfReferenceTransformationMatrixType = "RIGID"
        step.FrameOfReferenceTransformationMatrix = [f"{v:.6g}" for v in matrix.ravel()]
        steps.MatrixSequence = [step]
        item.FrameOfReferenceUID, item.MatrixRegistrationSequence = uid, [steps]
        data.RegistrationSequence.append(item)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def chain(tmp_path):
    """From 1.3 through 1.2 to 1.1, the second the other way round."""
    return [
        registration(tmp_path / "a.dcm", "1.2", "1.3", (1, 2, 3)),
        registration(tmp_path / "b.dcm", "1.2", "1.1", (10, 20, 30)),
    ]


def test_registrations_join_frames_in_a_chain_whatever_their_order_and_direction(chain):
    for paths in (chain, chain[::-1]):
        found = read_chain(paths, source="1.3", target="1.1")
        assert found.points(np.zeros((1, 3)))[0] == pytest.approx([-9, -18, -27])
    assert read_chain(chain[:1], source="1.3", target="1.1") is None


def test_registrations_that_contradict_each_other_are_refused(chain, tmp_path):
    other = registration(tmp_path / "c.dcm", "1.2", "1.3", (1, 2, 4))
    with pytest.raises(DicomReadError, match="another way"):
        read_chain([*chain, other], source="1.3", target="1.1")


def test_what_bears_one_name_twice_pairs_by_its_number_too():
    nodes = [replace(sphere(r, name="Node"), number=n) for n, r in ((4, 5), (9, 6))]
    liver = replace(sphere(9, name="Liver"), number=1)
    one, two = StructureSet(structures=(liver, *nodes)), StructureSet(structures=(*nodes[::-1], liver))
    found = pair_structures(one, two)
    assert [(p.a.number, p.b.number) for p in found] == [(1, 1), (4, 4), (9, 9)]
    renumbered = StructureSet(structures=(liver, *(replace(s, number=s.number + 1) for s in nodes)))
    assert [p.a.name for p in pair_structures(one, renumbered)] == ["Liver"]


def written(folder, shift_mm, dose_at=None):
    dose = ()
    if dose_at is not None:
        grid = axial_grid(shape_zyx=(25, 25, 25), spacing_xyz_mm=(3.0, 3.0, 3.0), first_xyz_mm=tuple(dose_at - 36.0))
        x, _, _ = voxel_centres_mm(grid)
        values = np.broadcast_to(40.0 + 0.5 * (x - dose_at[0]), grid.shape_zyx)
        dose = (PhantomDose(grid=grid, values_gy=values.copy(), refers_to_structures=True),)
    ball = replace(sphere(12, shift_mm, name="GTV"), rt_roi_type="GTV")
    write_set(folder, PhantomSet(label="ONE", structures=(ball,), doses=dose))
    return folder


def test_where_the_dose_lies_in_another_frame_the_contours_of_both_are_taken_there(tmp_path):
    a, b = written(tmp_path / "a", (0, 0, 0), np.zeros(3)), written(tmp_path / "b", (4, 0, 0))
    frame = pydicom.dcmread(a / "RTSTRUCT.dcm").FrameOfReferenceUID
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dose = pydicom.dcmread(a / "RTDOSE.dcm")
    dose.FrameOfReferenceUID = "1.2.3.4"
    dose.ImagePositionPatient = [float(v) + s for v, s in zip(dose.ImagePositionPatient, SHIFT_MM, strict=True)]
    dose.save_as(elsewhere / "RD.dcm")
    structures = a / "RTSTRUCT.dcm", b / "RTSTRUCT.dcm"
    here = compare_structures(*structures, dose=a / "RTDOSE.dcm").pairs[0]
    with pytest.raises(LinkError):
        compare_structures(*structures, dose=elsewhere / "RD.dcm")
    registration(elsewhere / "REG.dcm", "1.2.3.4", frame, SHIFT_MM)
    there = compare_structures(*structures, dose=elsewhere / "RD.dcm").pairs[0]
    mean = {effect.metric: effect for effect in there.dose_effect}["Mean[Gy]"]
    assert (mean.value_a, mean.value_b) == pytest.approx((40.0, 42.0), abs=0.01)
    for one, two in zip(here.dose_effect, there.dose_effect, strict=True):
        assert (one.value_a, one.value_b) == pytest.approx((two.value_a, two.value_b), abs=1e-6)


def test_volumes_beside_a_dose_are_those_without_it(tmp_path):
    a, b = written(tmp_path / "a", (0, 0, 0), np.zeros(3)), written(tmp_path / "b", (4, 0, 0))
    alone, beside = compare_structures(a, b).pairs[0], compare_structures(a, b, dose=a / "RTDOSE.dcm").pairs[0]
    assert (beside.volume_a_cc, beside.volume_b_cc) == pytest.approx((alone.volume_a_cc, alone.volume_b_cc), rel=1e-3)
    same = ("dice", "hausdorff_mm", "hd95_pooled_mm", "mean_surface_distance_mm", "surface_dice", "apl_mm")
    assert [getattr(beside, name) for name in same] == [getattr(alone, name) for name in same]


def test_what_was_not_asked_for_is_not_told_as_missing(tmp_path):
    folders = []
    for name, names in (("a", ("GTV", "CTV", "Only")), ("b", ("GTV", "CTV", "Other"))):
        drawn = tuple(replace(sphere(6, name=n), number=k) for k, n in enumerate(names, 1))
        write_set(tmp_path / name, PhantomSet(label="TWO", structures=drawn))
        folders.append(tmp_path / name)
    every, one = compare_structures(*folders), compare_structures(*folders, roi=["GTV", "Only"])
    assert (every.only_in_a, every.only_in_b) == (("Only",), ("Other",))
    assert ([p.roi_a for p in one.pairs], one.only_in_a, one.only_in_b) == (["GTV"], ("Only",), ())


@pytest.mark.parametrize("mark", [",", ";"])
def test_pairs_are_read_as_spreadsheets_write_them(tmp_path, mark):
    (tmp_path / "p.csv").write_text(f"roi_a{mark}roi_b\nGTV 1{mark}gross\n")
    assert read_pairs(tmp_path / "p.csv") == {"GTV 1": "gross"}
