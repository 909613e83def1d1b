"""Several observers: volumes of agreement, kappa, STAPLE and the majority's contour against counts on whole voxels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from made_masks import made_image
from shapes_drawn import box

from dvhkit.errors import InputError
from dvhkit.jobs.contours.consensus import consensus_of
from dvhkit.outputs.contours.consensus import consensus_csv, consensus_document, consensus_html
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.readers.case import read_image
from dvhkit.readers.rtstruct import read_structures

# Boxes with faces at whole millimetres, low and high corner: voxels of 1 mm count them exactly.
BOXES = [
    ((-6, -5, -6), (6, 5, 6)),
    ((-4, -5, -6), (8, 5, 6)),
    ((-6, -7, -8), (6, 5, 4)),
    ((-6, -5, -6), (6, 5, 6)),
    ((-10, -9, -10), (10, 9, 10)),
]
MARGIN = 10


def voxels(margin: int = MARGIN) -> np.ndarray:
    """Return the observers' boxes (n, z, y, x) on millimetres, in the box around them all, grown by a margin."""
    low, high = np.min([b[0] for b in BOXES], axis=0) - margin, np.max([b[1] for b in BOXES], axis=0) + margin
    z, y, x = np.meshgrid(*(np.arange(low[a], high[a]) + 0.5 for a in (2, 1, 0)), indexing="ij")
    return np.array(
        [
            (x > a[0]) & (x < b[0]) & (y > a[1]) & (y < b[1]) & (z > a[2]) & (z < b[2])
            for a, b in BOXES
        ]
    )  # fmt: skip


def fleiss_by_table(masks: np.ndarray) -> float:
    """Fleiss 1971, from the table of counts, voxel by voxel."""
    n = len(masks)
    inside = masks.reshape(n, -1).sum(axis=0)
    table = np.stack([inside, n - inside], axis=1).astype(float)
    each = ((table**2).sum(axis=1) - n) / (n * (n - 1))
    chance = (table.mean(axis=0) / n) ** 2
    return float((each.mean() - chance.sum()) / (1 - chance.sum()))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("observers")
    image = read_image(made_image(folder / "ct").folder)
    paths = []
    for n, (low, high) in enumerate(BOXES):
        rois = [replace(box(low, high, name="GTV"), frame_of_reference_uid=image.frame_of_reference_uid)]
        if n == 1:
            rois.append(replace(rois[0], name="Alone"))
        paths.append(folder / f"{n}.dcm")
        write_rtstruct(paths[-1], [NewRoi(structure=s) for s in rois], source=None, image=image)
    return paths


@pytest.fixture(scope="module")
def found(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "consensus.dcm"
    return consensus_of(files, margin_mm=MARGIN, out=out, levels=True), out


def test_levels_of_agreement_majority_and_pairs_are_those_of_counted_voxels(found):
    roi, counts = found[0].rois[0], voxels().sum(axis=0)
    for level in roi.agreement:
        assert level.volume_cc == pytest.approx((counts >= level.at_least).sum() / 1000, rel=1e-6)
    assert roi.majority_cc == pytest.approx((counts >= 3).sum() / 1000, rel=1e-6)
    assert roi.volumes_cc == pytest.approx(tuple(voxels().sum(axis=(1, 2, 3)) / 1000), rel=1e-6)
    masks = voxels()
    for pair in roi.pairs:
        a, b = ("ABCDE".index(o) for o in (pair.observer_a, pair.observer_b))
        assert pair.dice == pytest.approx(2 * (masks[a] & masks[b]).sum() / (masks[a].sum() + masks[b].sum()), rel=1e-6)
    assert found[0].drawn_by_one == ("Alone",)


def test_kappa_is_that_of_the_table_of_counts_and_its_interval_holds_it(found):
    roi = found[0].rois[0]
    assert roi.kappa == pytest.approx(fleiss_by_table(voxels()), abs=1e-6)
    assert roi.kappa_low < roi.kappa < roi.kappa_high
    for row in roi.by_margin:
        assert row.kappa == pytest.approx(fleiss_by_table(voxels(int(row.margin_mm))), abs=1e-6)
    for n, left in enumerate(roi.leave_one_out):
        # The box stays that of all five.
        assert left.kappa_without == pytest.approx(fleiss_by_table(np.delete(voxels(), n, axis=0)), abs=1e-6)


def test_staple_is_simpleitks_on_voxels_of_the_same_space(found):
    masks = voxels()
    estimate = SimpleITK.STAPLEImageFilter()
    estimate.SetForegroundValue(1.0)
    likely = SimpleITK.GetArrayFromImage(
        estimate.Execute([SimpleITK.GetImageFromArray(m.astype(np.uint8)) for m in masks])
    )
    staple = found[0].rois[0].staple
    assert staple.volume_cc == pytest.approx((likely >= 0.5).sum() / 1000, rel=1e-6)
    # A set of observers is stood for by whole voxels out of 200,000.
    assert staple.sensitivity == pytest.approx(estimate.GetSensitivity(), abs=2e-3)
    assert staple.specificity == pytest.approx(estimate.GetSpecificity(), abs=2e-3)
    most = masks.sum(axis=0) >= 3
    assert staple.few_added_cc == pytest.approx(((likely >= 0.5) & ~most).sum() / 1000, abs=1e-6)


def test_an_observer_left_out_is_held_against_the_majority_of_the_others(found):
    masks = voxels()
    for n, left in enumerate(found[0].rois[0].leave_one_out):
        others = np.delete(masks, n, axis=0).sum(axis=0) > 2
        assert left.others_cc == pytest.approx(others.sum() / 1000, rel=1e-6)
        dice = 2 * (others & masks[n]).sum() / (others.sum() + masks[n].sum())
        assert left.dice == pytest.approx(dice, abs=0.003), left.observer


def test_the_written_contours_hold_the_agreed_volumes(found):
    from dvhkit.engine.dvh import compute_dvh

    counts = voxels().sum(axis=0)
    structures, _ = read_structures(found[1])
    assert [s.name for s in structures][:2] == ["GTV_majority", "GTV_STAPLE"]
    for name, least in (("GTV_majority", 3), ("GTV_5of5", 5), ("GTV_1of5", 1)):
        volume = compute_dvh(structures[name], None).volume_cc
        assert volume == pytest.approx((counts >= least).sum() / 1000, rel=0.003), name


def test_views_tell_each_observer_and_no_path(found, files):
    text = consensus_csv(found[0]) + consensus_html(found[0]) + str(consensus_document(found[0]))
    assert str(files[0].parent) not in text
    assert consensus_csv(found[0]).count("GTV,") == len(BOXES)


def test_two_observers_have_a_tie_and_no_interval(files):
    roi = consensus_of(files[:2], roi=["GTV"]).rois[0]
    assert roi.majority_cc == pytest.approx(10 * 10 * 12 / 1000, rel=1e-6)
    assert roi.ties_cc == pytest.approx(2 * 2 * 10 * 12 / 1000, rel=1e-6)
    assert (roi.kappa_low, roi.leave_one_out) == (None, ())


def test_observers_on_planes_that_face_different_ways_vote_on_those_of_the_first(files, tmp_path):
    axial = read_structures(files[0])[0]["GTV"]
    lying = replace(axial, contours=tuple(replace(c, points_mm=c.points_mm[:, [0, 2, 1]]) for c in axial.contours))
    write_rtstruct(tmp_path / "c.dcm", [NewRoi(structure=lying)], source=files[0])
    roi = consensus_of([*files[:2], tmp_path / "c.dcm"], roi=["GTV"]).rois[0]
    # By two: x -4..6, y -5..5, z -6..6 of the first two, and x -6..6, y -5..5, z -5..5 of the first and the turned.
    assert roi.majority_cc == pytest.approx((1200 + 1200 - 1000) / 1000, rel=0.01)
    # A flat end between two cuts, half a millimetre apart, lies within half of that.
    assert roi.volumes_cc == pytest.approx([1.44, 1.44, 1.44], abs=12 * 12 * 2 * 0.25 / 1000)
    assert roi.reason is None


def test_one_set_twice_or_nothing_in_common_is_refused(files):
    with pytest.raises(InputError, match="twice"):
        consensus_of([files[0], files[0]])
    with pytest.raises(InputError, match="no structure is named"):
        consensus_of(files, roi=["Liver"])
    with pytest.raises(InputError, match="drawn by two"):
        consensus_of(files, roi=["Alone"])
