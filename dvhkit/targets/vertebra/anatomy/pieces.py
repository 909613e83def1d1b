"""Connected pieces of a mask, and the gaps in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dvhkit.extras import needs_extra


def label_pieces(mask: NDArray[np.bool_], *, corners: bool = False) -> NDArray[np.uint32]:
    """Return the number of the connected piece of each pixel or voxel, 0 outside; `corners` joins across corners."""
    with needs_extra("masks"):
        import SimpleITK

    itk: Any = SimpleITK
    image = itk.GetImageFromArray(np.ascontiguousarray(mask, dtype=np.uint8))
    return np.asarray(itk.GetArrayFromImage(itk.ConnectedComponent(image, corners)), dtype=np.uint32)


def largest_piece(mask: NDArray[np.bool_], *, corners: bool = False) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the largest connected piece, and the sizes of all pieces, largest first; nothing of an empty mask."""
    pieces = label_pieces(mask, corners=corners)
    counts = np.bincount(pieces.ravel())
    counts[0] = 0
    if counts.max() == 0:
        return np.zeros(mask.shape, dtype=np.bool_), np.zeros(0, dtype=np.intp)
    return np.asarray(pieces == counts.argmax()), np.sort(counts[counts > 0])[::-1]


def close_gaps(mask: NDArray[np.bool_], voxels_kji: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return the mask with gaps filled that are no wider than twice so many voxels along plane, row and column."""
    with needs_extra("masks"):
        import SimpleITK

    itk: Any = SimpleITK
    image = itk.GetImageFromArray(np.ascontiguousarray(mask, dtype=np.uint8))
    closed = itk.BinaryMorphologicalClosing(image, [int(n) for n in voxels_kji[::-1]], itk.sitkBox)
    return np.asarray(itk.GetArrayFromImage(closed) > 0)
