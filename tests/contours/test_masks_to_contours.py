"""Masks of any format become contours that give the masks back; what is not of the image is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from made_masks import RAS, SHAPE, SPACING_MM, TURNED, MadeImage, back_to_masks, dice, made_image, shapes

from dvhkit.errors import GeometryError, InputError, LinkError
from dvhkit.jobs.clinic.import_masks import import_masks
from dvhkit.readers.files.label_table import read_label_table

MASKS = shapes()


@pytest.fixture(scope="module", params=[None, TURNED], ids=["axial", "oblique"])
def image(request, tmp_path_factory) -> MadeImage:
    return made_image(tmp_path_factory.mktemp("image") / "ct", axes=request.param)


@pytest.fixture(scope="module")
def axial(tmp_path_factory) -> MadeImage:
    return made_image(tmp_path_factory.mktemp("axial") / "ct")


def as_nifti(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(values.astype(np.uint8).transpose(2, 1, 0), affine), path)
    return path


def as_itk(path: Path, values: np.ndarray, image: MadeImage, **told: str) -> Path:
    volume = SimpleITK.GetImageFromArray(values.astype(np.uint8), isVector=values.ndim == 4)
    volume.SetOrigin(image.origin.tolist())
    volume.SetSpacing(SPACING_MM[::-1])
    volume.SetDirection((image.matrix / np.array(SPACING_MM[::-1])).ravel().tolist())
    for key, value in told.items():
        volume.SetMetaData(key, value)
    SimpleITK.WriteImage(volume, str(path))
    return path


def require_round_trip(found, out: Path, image: MadeImage, truth: dict[str, np.ndarray]) -> None:
    """On the image's own voxels no centre changes sides, and areas are met to a millionth."""
    back = back_to_masks(out, image)
    assert {row.roi for row in found.structures} == set(truth)
    for row in found.structures:
        assert dice(back[row.roi], truth[row.roi]) >= 0.9999, row.roi
        voxels_cc = truth[row.roi].sum() * np.prod(SPACING_MM) / 1000.0
        assert row.mask_volume_cc == pytest.approx(voxels_cc, rel=1e-5), row.roi
        assert row.volume_cc == pytest.approx(voxels_cc, rel=1e-4), row.roi


@pytest.mark.parametrize("holes", ["keyhole", "nested"])
def test_a_folder_of_nifti_comes_back_voxel_for_voxel(image, tmp_path, holes):
    for name, mask in MASKS.items():
        as_nifti(tmp_path / f"{name}.nii.gz", mask, image.affine_ras)
    out = tmp_path / "rs.dcm"
    require_round_trip(import_masks(image.folder, [str(tmp_path)], out, holes=holes), out, image, MASKS)


@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha"])
def test_lps_formats_with_0_and_255_come_back(image, tmp_path, ending):
    file, out = as_itk(tmp_path / f"a.{ending}", MASKS["Shell"] * 255, image), tmp_path / "rs.dcm"
    found = import_masks(image.folder, [f"Shell={file}"], out)
    require_round_trip(found, out, image, {"Shell": MASKS["Shell"]})


def test_axes_stored_backwards_or_in_another_order_are_followed(axial, tmp_path):
    mask, out = MASKS["Islands"], tmp_path / "rs.dcm"
    turned = axial.affine_ras @ np.array(
        [[-1, 0, 0, SHAPE[2] - 1], [0, 0, -1, SHAPE[1] - 1], [0, 1, 0, 0], [0, 0, 0, 1]]
    )
    as_nifti(tmp_path / "a.nii", mask[:, ::-1, ::-1].transpose(1, 0, 2), turned)
    require_round_trip(
        import_masks(axial.folder, [f"Islands={tmp_path / 'a.nii'}"], out), out, axial, {"Islands": mask}
    )


def test_segments_that_share_voxels_come_from_layers_of_seg_nrrd(axial, tmp_path):
    layers = np.stack([MASKS["GTV"] * 1 + MASKS["Shell"] * 2, MASKS["Ring"] * 1], axis=-1)
    told = {}
    for n, (name, label, layer) in enumerate([("GTV", 1, 0), ("Shell", 2, 0), ("Ring", 1, 1)]):
        told |= {f"Segment{n}_Name": name, f"Segment{n}_LabelValue": str(label), f"Segment{n}_Layer": str(layer)}
    shell = MASKS["Shell"] & ~MASKS["GTV"]
    layers[..., 0][MASKS["GTV"]] = 1
    file, out = as_itk(tmp_path / "a.seg.nrrd", layers, axial, **told), tmp_path / "rs.dcm"
    truth = {"GTV": MASKS["GTV"], "Shell": shell, "Ring": MASKS["Ring"]}
    require_round_trip(import_masks(axial.folder, [str(file)], out), out, axial, truth)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_dicom_segmentations_come_back(axial, tmp_path, kind):
    file, out = _seg(tmp_path / "seg.dcm", axial, kind), tmp_path / "rs.dcm"
    truth = {"Ring": MASKS["Ring"], "Corner": MASKS["Corner"] & ~MASKS["Ring"]}
    require_round_trip(import_masks(axial.folder, [str(file)], out), out, axial, truth)


def _seg(path: Path, image: MadeImage, kind: str) -> Path:
    highdicom = pytest.importorskip("highdicom")
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    labels = np.where(MASKS["Ring"], 1, np.where(MASKS["Corner"], 2, 0)).astype(np.uint8)
    values = np.stack([labels == 1, labels == 2], axis=-1)
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=n,
            segment_label=name,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type="MANUAL",
        )
        for n, name in ((1, "Ring"), (2, "Corner"))
    ]
    made = highdicom.seg.Segmentation(
        source_images=image.slices,
        pixel_array={"BINARY": values.astype(np.uint8), "FRACTIONAL": values.astype(np.float32)}.get(kind, labels),
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="a",
        manufacturer_model_name="b",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(path)
    return path


def test_a_segmentation_of_another_frame_is_refused_unless_vouched_for(axial, tmp_path):
    other = made_image(tmp_path / "other")
    file, out = _seg(tmp_path / "seg.dcm", other, "BINARY"), tmp_path / "rs.dcm"
    with pytest.raises(LinkError, match="another frame of reference"):
        import_masks(axial.folder, [str(file)], out)
    assert not out.exists()
    assert import_masks(axial.folder, [str(file)], out, same_frame=True).structures


@pytest.mark.parametrize(
    ("what", "words"),
    [("no geometry", "not its place"), ("lps as ras", "not its place"), ("half a voxel", "not its place")],
)
def test_a_mask_of_as_many_voxels_elsewhere_is_refused(axial, tmp_path, what, words):
    affine = {
        "no geometry": np.eye(4),
        "lps as ras": np.vstack([np.column_stack([RAS @ axial.affine_ras[:3, :3], axial.origin]), [0, 0, 0, 1]]),
        "half a voxel": axial.affine_ras + np.array([[0, 0, 0, 0.45], *np.zeros((3, 4))]),
    }[what]
    file, out = as_nifti(tmp_path / "a.nii", MASKS["GTV"], affine), tmp_path / "rs.dcm"
    with pytest.raises(GeometryError, match=words):
        import_masks(axial.folder, [f"GTV={file}"], out)
    assert not out.exists()


def test_a_mask_that_reaches_beyond_the_image_is_refused_or_cut_on_request(axial, tmp_path):
    affine = axial.affine_ras.copy()
    affine[:3, 3] += affine[:3, :3] @ [20, 0, 0]
    file, out = as_nifti(tmp_path / "a.nii", MASKS["GTV"][:, :-1], affine), tmp_path / "rs.dcm"
    with pytest.raises(GeometryError, match="lie beyond the image"):
        import_masks(axial.folder, [f"GTV={file}"], out)
    found = import_masks(axial.folder, [f"GTV={file}"], out, crop=True)
    assert [f.code for f in found.findings] == ["mask-beyond-image"]
    truth = np.zeros(SHAPE, bool)
    truth[:, :, 20:] = MASKS["GTV"][:, :, :-20]
    require_round_trip(found, out, axial, {"GTV": truth})


def test_a_sphere_on_other_voxels_keeps_its_volume_and_place(axial, tmp_path):
    step, count, r = 0.5, 80, 9.0
    centre = axial.matrix @ [16, 12, 5.5] + axial.origin
    first = centre - step * (count - 1) / 2
    points = np.stack(np.indices((count,) * 3)[::-1], axis=-1) * step + first
    ball = np.linalg.norm(points - centre, axis=-1) < r
    affine = np.diag([-step, -step, step, 1.0])
    affine[:3, 3] = RAS @ first
    file, out = as_nifti(tmp_path / "a.nii", ball, affine), tmp_path / "rs.dcm"
    found = import_masks(axial.folder, [f"GTV={file}"], out)
    assert found.structures[0].volume_cc == pytest.approx(ball.sum() * step**3 / 1000.0, rel=0.002)
    kept = np.argwhere(back_to_masks(out, axial)["GTV"])[:, ::-1] @ axial.matrix.T + axial.origin
    # Sampling at whole voxels moves the centre by far less than one of them.
    np.testing.assert_allclose(kept.mean(axis=0), centre, atol=0.15)


def test_voxels_that_touch_by_corners_alone_are_told(axial, tmp_path):
    checkers = np.zeros(SHAPE, bool)
    checkers[3:6, 5:15, 5:15] = np.indices((3, 10, 10)).sum(axis=0) % 2 == 0
    file = as_nifti(tmp_path / "a.nii", checkers, axial.affine_ras)
    found = import_masks(axial.folder, [f"GTV={file}"], tmp_path / "rs.dcm")
    assert [f.code for f in found.findings] == ["mask-volume-differs"]


TABLES = {
    "numbers first": "3,GTV\n7,Left lung\n",
    "names first": "name,label\nGTV,3\nLeft lung,7\n",
    "quoted": '\ufeff"value";"label"\r\n"3";"GTV"\r\n"7";"Left lung"\r\n',
    "more columns": "label,name,colour\n3,GTV,red\n7,Left lung,blue\n",
    "itk-snap": '# IDX -R- -G- -B- LABEL\n0 0 0 0 0 0 0 "No"\n3 255 0 0 1 1 1 "GTV"\n7 0 0 0 1 1 1 "Left lung"\n',
    "slicer": "# Color table\n3 GTV 255 0 0 255\n7 Left lung 0 1 2 255\n",
    "yaml": "3: GTV\n7: Left lung\n",
    "json": '{"labels": {"background": 0, "GTV": 3, "Left lung": 7}}',
    "json the other way round": '{"3": "GTV", "7": "Left lung"}',
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_label_table_is_read_as_programs_write_it(tmp_path, kind):
    path = tmp_path / "labels.txt"
    path.write_text(TABLES[kind], encoding="utf-8")
    assert read_label_table(path) == {3: "GTV", 7: "Left lung"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "3,GTV\n3,CTV\n", "3,GTV\nseven,lung\n", '{"GTV": "x"}', "[1]"])
def test_a_label_table_that_says_nothing_or_two_things_is_refused(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        read_label_table(path)


def test_labels_get_the_names_of_the_table(axial, tmp_path):
    labels = np.where(MASKS["GTV"], 3, np.where(MASKS["Corner"], 7, 0))
    file, table, out = (
        as_nifti(tmp_path / "a.nii.gz", labels, axial.affine_ras),
        tmp_path / "l.csv",
        tmp_path / "rs.dcm",
    )
    table.write_text("3,GTV\n7,Corner\n")
    truth = {"GTV": labels == 3, "Corner": labels == 7}
    require_round_trip(import_masks(axial.folder, [str(file)], out, labels=table), out, axial, truth)
