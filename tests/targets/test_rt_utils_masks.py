"""Masks through rt-utils and back: axes in the right order, its faults known."""

import numpy as np
import pytest

from dvhkit.errors import GeometryError, InputError
from dvhkit.outputs.rt_utils_masks import from_rt_utils, read_masks, to_rt_utils, write_masks
from dvhkit.phantoms.dicom.dicom_set import write_set
from dvhkit.phantoms.sets.phantom_set import PhantomImage, PhantomSet, axial_grid
from dvhkit.phantoms.shapes import structure
from dvhkit.phantoms.solids import Box
from dvhkit.readers.case import read_case

pytestmark = pytest.mark.filterwarnings("ignore")


def phantom(tmp_path, rows, columns, *, spacing_xyz_mm=(1.0, 1.0, 2.0)):
    grid = axial_grid(shape_zyx=(8, rows, columns), spacing_xyz_mm=spacing_xyz_mm)
    # Twice as wide as high, off the middle: swapped axes would show.
    box = structure("Box", 1, Box(centre_mm=(6, -4, 0), size_mm=(20, 10, 12)), grid.origin_mm[2] + grid.offsets_mm)
    write_set(tmp_path, PhantomSet(label="masks", structures=(box,), image=PhantomImage(grid=grid)))
    series = tmp_path / "series"
    series.mkdir()
    for path in tmp_path.glob("CT_*.dcm"):
        path.rename(series / path.name)
    return grid, series


def test_axes_there_and_back_are_the_same():
    mask = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    assert to_rt_utils(mask).shape == (4, 5, 3)
    np.testing.assert_array_equal(from_rt_utils(to_rt_utils(mask)), mask)


def test_a_mask_that_rt_utils_reads_lies_where_the_structure_lies(tmp_path):
    grid, series = phantom(tmp_path, 48, 48)
    mask = read_masks(tmp_path / "RTSTRUCT.dcm", series)["Box"]
    k, j, i = np.argwhere(mask).mean(axis=0)
    assert grid.origin_mm[0] + i == pytest.approx(6, abs=0.6)
    assert grid.origin_mm[1] + j == pytest.approx(-4, abs=0.6)
    assert grid.origin_mm[2] + grid.offsets_mm[0] + 2 * k == pytest.approx(0, abs=0.1)
    size = np.ptp(np.argwhere(mask), axis=0) + 1
    assert (size[1], size[2]) in {(11, 21), (10, 20), (11, 20), (10, 21)}


def test_a_mask_written_by_rt_utils_reads_back_in_place(tmp_path):
    from rt_utils import RTStructBuilder

    grid, series = phantom(tmp_path, 40, 48)
    mask = np.zeros(grid.shape_zyx, bool)
    mask[2:6, 10:20, 25:45] = True
    made = RTStructBuilder.create_new(dicom_series_path=str(series))
    made.add_roi(mask=to_rt_utils(mask), name="Block")
    made.save(str(tmp_path / "made.dcm"))
    points = np.concatenate(
        [c.points_mm for c in read_case(rtstruct=tmp_path / "made.dcm").structures["Block"].contours]
    )
    np.testing.assert_allclose(points.mean(axis=0)[0], grid.origin_mm[0] + 34.5, atol=1.0)
    np.testing.assert_allclose(points.mean(axis=0)[1], grid.origin_mm[1] + 14.5, atol=1.0)


def test_what_rt_utils_would_cut_off_is_refused(tmp_path):
    _, series = phantom(tmp_path, 40, 48)
    with pytest.raises(GeometryError, match="not square"):
        read_masks(tmp_path / "RTSTRUCT.dcm", series)
    with pytest.raises(InputError, match="rt-utils cannot read"):
        read_masks(tmp_path / "nothing.dcm", series)


def test_what_rt_utils_would_put_elsewhere_is_refused(tmp_path):
    _, series = phantom(tmp_path, 48, 48, spacing_xyz_mm=(1.0, 1.4, 2.0))
    with pytest.raises(GeometryError, match="another place"):
        read_masks(tmp_path / "RTSTRUCT.dcm", series)
    with pytest.raises(GeometryError, match="another place"):
        write_masks(tmp_path / "made.dcm", {"Block": np.ones((8, 48, 48), bool)}, series)
    assert not (tmp_path / "made.dcm").exists()
    with pytest.raises(GeometryError, match="another place"):
        to_rt_utils(np.ones((2, 3, 4), bool), pixel_spacing_mm=(1.4, 1.0))


def test_what_rt_utils_shrinks_is_told(tmp_path):
    _, series = phantom(tmp_path, 48, 48)
    mask = np.zeros((8, 48, 48), bool)
    mask[2:6, 10:20, 25:45] = True
    (told,) = write_masks(tmp_path / "made.dcm", {"Block": mask}, series)
    # 10 x 20 pixels become 9 x 19 mm2.
    assert (told.code, told.where) == ("mask-shrinks", "Block")
    assert "14.5 %" in told.message
    assert not read_case(rtstruct=tmp_path / "made.dcm").structures["Block"].is_empty
