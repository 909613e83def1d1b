"""Margins and booleans on a prostate plan, beside the masks that another program made of it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.rasterise import volume_on_grid
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.readers.case import read_case
from dvhkit.targets.regions.expression import evaluate

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import validation_prostate

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def structures(real_data):
    return read_case(rtstruct=next((real_data / "prostate_eclipse").glob("RS*.dcm"))).structures


def reference(real_data, name):
    path = real_data / "prostate_eclipse" / f"EclipseProstate_{name}.seg.nrrd"
    image = SimpleITK.ReadImage(str(path))
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    return image


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bladder | PTV", "Bladder_Union_PTV"),
        ("Bladder - PTV", "Bladder_Subtract_PTV"),
    ],
)
def test_booleans_have_the_reference_volumes(structures, real_data, text, name):
    image = reference(real_data, name)
    voxel_cc = float(np.prod(image.GetSpacing()[:3])) / 1000
    theirs = float((SimpleITK.GetArrayFromImage(image) > 0).sum()) * voxel_cc
    ours = compute_dvh(evaluate(text, structures).structure, None).volume_cc
    assert ours == pytest.approx(theirs, rel=0.01)


@pytest.fixture(scope="module")
def comparisons(real_data):
    return validation_prostate.compare(real_data)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_margins_have_the_volume_that_distance_maps_on_fine_voxels_give(comparisons, which):
    """The goal is 1 %; fine voxels of 0.4 mm take some 0.3 to 0.9 % of it."""
    found = comparisons[which]
    assert found.ours_cc == pytest.approx(found.fine_cc, rel=0.01)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_reference_masks_are_a_footprint_of_whole_voxels_wider_than_the_margin(comparisons, which):
    """That footprint gives them back voxel by voxel, so that their volumes say nothing against a true 5 mm."""
    found = comparisons[which]
    assert found.unlike_voxels <= 1e-4 * found.reference_voxels
    assert abs(found.ours_cc / found.reference_cc - 1) > 0.02


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bladder + 5mm", "Expanded_5_5_5_Bladder"),
        ("Rectum + 5mm", "Expanded_5_5_5_Rectum"),
        ("Bladder - 5mm", "Shrunk_5_5_5_Bladder"),
        ("Bladder | PTV", "Bladder_Union_PTV"),
        ("Bladder - PTV", "Bladder_Subtract_PTV"),
    ],
)
def test_surfaces_lie_within_a_voxel_of_the_reference(structures, real_data, text, name):
    """The masks' place in the patient was lost when they were cropped: the centres of mass are laid over each other."""
    image = reference(real_data, name)
    spacing = np.array(image.GetSpacing()[:3])
    mask = np.pad(SimpleITK.GetArrayFromImage(image) > 0, 8)
    made = evaluate(text, structures).structure
    points = np.concatenate([c.points_mm for c in made.contours])
    placed = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    placed.SetSpacing(spacing.tolist())
    placed.SetOrigin((_centre_of_mass(made, points) - np.argwhere(mask).mean(axis=0)[::-1] * spacing).tolist())
    distance = SimpleITK.SignedMaurerDistanceMap(placed, squaredDistance=False, useImageSpacing=True)
    found = []
    for point in points[::11]:
        index = distance.TransformPhysicalPointToContinuousIndex(point.tolist())
        assert all(0 <= i < n - 1 for i, n in zip(index, distance.GetSize(), strict=True))
        found.append(abs(distance.EvaluateAtContinuousIndex(index)))
    assert np.percentile(found, 95) <= spacing.max()


def _centre_of_mass(made, points):
    low = points.min(axis=0) - [2.0, 2.0, 5.0]
    size = np.ceil((np.ptp(points, axis=0) + np.array([4.0, 4.0, 10.0])) / [1.0, 1.0, 2.5]).astype(int) + 1
    grid = axial_grid(shape_zyx=tuple(size[::-1].tolist()), spacing_xyz_mm=(1.0, 1.0, 2.5), first_xyz_mm=tuple(low))
    shares = volume_on_grid(made, grid)
    index = np.meshgrid(*[np.arange(n) for n in shares.shape], indexing="ij")
    return np.array([(shares * i).sum() for i in index[::-1]]) / shares.sum() * [1.0, 1.0, 2.5] + low
