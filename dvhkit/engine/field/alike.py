"""Which readings of the same contours are alike in which layers: they differ where rings end, each end by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dvhkit.engine.lattice import SAME_HEIGHT_MM, Lattice
from dvhkit.engine.solid.links import Links
from dvhkit.engine.solid.solid import Solid
from dvhkit.engine.solid.window import all_places
from dvhkit.model.arrays import FloatArray

_UP = ("up_mm", "up_order", "up_stretch")
_DOWN = ("down_mm", "down_order", "down_stretch")


def stands_for(solids: Sequence[Solid], lattice: Lattice) -> NDArray[np.int64]:
    """Return for each layer and solid, (layers, solids), the first solid that fills that layer as this one does.

    The first solid and those of upright walls stand for themselves alone. Two others, which go on alike between
    slices, are alike in a layer if in all intervals that it touches their rings end alike.
    """
    edges = lattice.layer_edges_mm
    found = np.tile(np.arange(len(solids)), (len(edges) - 1, 1))
    shapes = [n for n, solid in enumerate(solids) if n > 0 and solid.links is not None]
    for place, n in enumerate(shapes):
        own = np.full(len(edges) - 1, n)
        for other in shapes[:place]:
            alike = _alike(solids[n], solids[other], edges) & (found[:, other] == other)
            own = np.where(alike, np.minimum(own, other), own)
        found[:, n] = own
    return found


def _alike(one: Solid, other: Solid, edges: FloatArray) -> NDArray[np.bool_]:
    """Return for each layer whether two solids fill it alike."""
    if one.options.bend_max != other.options.bend_max:
        return np.zeros(len(edges) - 1, np.bool_)
    places, heights = all_places(one.stack, one.runs)
    up, down = _planes_alike(one, other, _UP), _planes_alike(one, other, _DOWN)
    lower, upper = places[:, 0], places[:, 1]
    apart = heights[((lower >= 0) & ~up[lower]) | ((upper >= 0) & ~down[upper])]
    first = np.searchsorted(edges, apart[:, 0] - SAME_HEIGHT_MM, side="right") - 1
    stop = np.searchsorted(edges, apart[:, 1] + SAME_HEIGHT_MM)
    alike = np.ones(len(edges) - 1, np.bool_)
    for begin, end in zip(np.maximum(first, 0).tolist(), stop.tolist(), strict=True):
        alike[begin:end] = False
    return alike


def _planes_alike(one: Solid, other: Solid, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return for each plane whether all its rings end alike upwards, or downwards."""
    own, second = one.links, other.links
    assert isinstance(own, Links)
    assert isinstance(second, Links)
    rings = np.logical_and.reduce([getattr(own, name) == getattr(second, name) for name in names])
    return np.asarray(np.logical_and.reduceat(rings, one.stack.plane_ring[:-1]))
