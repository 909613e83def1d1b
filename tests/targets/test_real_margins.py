"""Margins and booleans on a prostate plan, beside the masks that another program made of it."""

import numpy as np
import pytest
import SimpleITK

from dvhkit.engine.dvh import compute_dvh
from dvhkit.readers.case import read_case
from dvhkit.targets.expression import evaluate

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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bladder + 5mm", "Expanded_5_5_5_Bladder"),
        ("Rectum + 5mm", "Expanded_5_5_5_Rectum"),
        ("Bladder - 5mm", "Shrunk_5_5_5_Bladder"),
    ],
)
def test_margins_reach_as_far_as_the_reference_along_each_axis(structures, real_data, text, name):
    """The reference dilates a mask by a footprint of whole voxels, which is wider than the ellipsoid off its axes.

    Along the axes the two mean the same: extents agree to a voxel on either side.
    """
    image = reference(real_data, name)
    mask = SimpleITK.GetArrayFromImage(image) > 0
    filled = np.argwhere(mask)
    spacing = np.array(image.GetSpacing()[:3])
    theirs = ((np.ptp(filled, axis=0) + 1)[::-1]) * spacing
    points = np.concatenate([c.points_mm for c in evaluate(text, structures).structure.contours])
    ours = np.ptp(points, axis=0) + np.array([0, 0, 2.5])
    assert np.all(np.abs(ours - theirs) <= spacing + 0.05)
