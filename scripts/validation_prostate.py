"""Margins on a clinical bladder and rectum beside the masks that another program made of them.

The masks' footprint is known: a dilation (or erosion) of the voxels whose centres lie inside, by all voxels within an
ellipsoid of half an odd number of voxels. For 5 mm on voxels of 0.977 x 0.977 x 2.5 mm that are 11 x 11 x 5 voxels,
with semi-axes of 5.37 x 5.37 x 6.25 mm. What a margin of 5 mm is on fine voxels is told by distance maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from scipy import ndimage
from skimage.draw import polygon2mask

from dvhkit.engine.dvh import compute_dvh
from dvhkit.model.structure import Structure
from dvhkit.readers.case import read_case
from dvhkit.targets.derive.margin import grow, shrink

MARGIN_MM = 5.0
SPACING_ZYX_MM = np.array([2.5, 0.976562, 0.976562])
# The masks' grid in LPS: the file gives it in RAS, falling along x and y.
ORIGIN_ZYX_MM = np.array([-122.5, -250.0, -250.0])
CASES = (
    ("Bladder", "Expanded_5_5_5_Bladder", False),
    ("Rectum", "Expanded_5_5_5_Rectum", False),
    ("Bladder", "Shrunk_5_5_5_Bladder", True),
)
_FINE_ZYX_MM = np.array([0.5, 0.4, 0.4])
_AROUND_MM = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One mask: volumes in cc, and how many voxels the footprint leaves unlike."""

    name: str
    reference_cc: float
    ours_cc: float
    fine_cc: float
    footprint_cc: float
    unlike_voxels: int
    reference_voxels: int


def is_at_hand(data: Path) -> bool:
    return (data / "prostate_eclipse").is_dir()


def compare(data: Path) -> list[Comparison]:
    """Return the three margins beside their masks."""
    folder = data / "prostate_eclipse"
    structures = read_case(rtstruct=next(folder.glob("RS*.dcm"))).structures
    return [_compared(folder, structures[roi], name, shrunk=shrunk) for roi, name, shrunk in CASES]


def _compared(folder: Path, drawn: Structure, name: str, *, shrunk: bool) -> Comparison:
    reference, corner = _placed(folder / f"EclipseProstate_{name}.seg.nrrd")
    # Room for the footprint on all sides.
    reference = np.pad(reference, 8)
    origin = ORIGIN_ZYX_MM + (corner - 8) * SPACING_ZYX_MM
    own = _centres_inside(drawn, origin, reference.shape, SPACING_ZYX_MM)
    made = (ndimage.binary_erosion if shrunk else ndimage.binary_dilation)(own, footprint())
    ours = (shrink if shrunk else grow)(drawn, MARGIN_MM).structure
    voxel_cc = float(np.prod(SPACING_ZYX_MM)) / 1000
    return Comparison(
        name=f"{drawn.name} {'-' if shrunk else '+'} {MARGIN_MM:g} mm",
        reference_cc=float(reference.sum()) * voxel_cc,
        ours_cc=float(compute_dvh(ours, None).volume_cc),
        fine_cc=fine_cc(drawn, shrunk=shrunk),
        footprint_cc=float(made.sum()) * voxel_cc,
        unlike_voxels=int((made ^ reference).sum()),
        reference_voxels=int(reference.sum()),
    )


def footprint() -> np.ndarray:
    """Return the voxels within half of the odd number of voxels that the margin comes to on both sides."""
    half = np.floor(MARGIN_MM / SPACING_ZYX_MM)
    axes = np.ogrid[tuple(slice(-h, h + 1) for h in half)]
    return np.asarray(sum((a / (h + 0.5)) ** 2 for a, h in zip(axes, half, strict=True)) <= 1.0)


def _placed(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask and the index (z, y, x) of its first voxel, which its header tells."""
    image = SimpleITK.ReadImage(str(path))
    image = image[:, :, :, 0] if image.GetDimension() == 4 else image
    header = path.read_bytes()[:4000].decode("latin-1")
    extent = header.split("Segmentation_Extent:=")[1].splitlines()[0].split()
    return SimpleITK.GetArrayFromImage(image) > 0, np.array([int(extent[4]), int(extent[2]), int(extent[0])])


def _centres_inside(drawn: Structure, origin: np.ndarray, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    """Mark the voxels whose centres lie inside the contours on their own slice."""
    mask = np.zeros(shape, bool)
    for contour in drawn.closed_contours:
        index = (contour.points_mm[:, ::-1] - origin) / spacing
        plane = round(float(index[0, 0]))
        mask[plane] ^= polygon2mask(shape[1:], index[:, 1:])
    return mask


def fine_cc(drawn: Structure, *, shrunk: bool) -> float:
    """Return the volume of the margin on fine voxels, by distances between their centres.

    Slices are interpolated by distance, with half a slice beyond both ends. The nearest centre lies a little inside the
    surface (less than a fifth of a voxel where many are nearly as near), so that the margin is that much too small.
    """
    own = _fine_mask(drawn)
    distance = ndimage.distance_transform_edt(own if shrunk else ~own, sampling=_FINE_ZYX_MM.tolist())
    made = distance > MARGIN_MM if shrunk else distance <= MARGIN_MM
    return float(made.sum()) * float(np.prod(_FINE_ZYX_MM)) / 1000


def _fine_mask(drawn: Structure) -> np.ndarray:
    points = np.concatenate([c.points_mm for c in drawn.closed_contours])[:, ::-1]
    low = points.min(axis=0) - _AROUND_MM
    shape = tuple(np.ceil((points.max(axis=0) + _AROUND_MM - low) / _FINE_ZYX_MM).astype(int))
    slices = np.unique(np.round(points[:, 0], 3))
    coarse = np.array([_FINE_ZYX_MM[0] * 5, *_FINE_ZYX_MM[1:]])
    origin = np.array([slices[0], *(low[1:] + 0.5 * _FINE_ZYX_MM[1:])])
    drawn_on = _centres_inside(drawn, origin, (len(slices), *shape[1:]), coarse)
    levels = np.array([_signed(mask) for mask in drawn_on])
    heights = low[0] + (np.arange(shape[0]) + 0.5) * _FINE_ZYX_MM[0]
    full = np.zeros(shape, bool)
    for plane, z in zip(full, heights, strict=True):
        place = (z - slices[0]) / coarse[0]
        if -0.5 <= place <= len(slices) - 0.5:
            below = int(np.clip(np.floor(place), 0, len(slices) - 2))
            t = float(np.clip(place - below, 0.0, 1.0))
            plane[:] = (1 - t) * levels[below] + t * levels[below + 1] > 0
    return full


def _signed(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, ndimage.distance_transform_edt(mask), -ndimage.distance_transform_edt(~mask))


def section(data: Path) -> str:
    """Return the text and table for the validation document."""
    if not is_at_hand(data):
        return "The bladder and rectum beside another program's masks were not at hand in this run."
    lines = ["| margin | masks / cc | their footprint / cc (voxels unlike) | fine voxels / cc | dvhkit / cc |"]
    lines.append("|---|---|---|---|---|")
    for c in compare(data):
        unlike = f"{c.unlike_voxels} of {c.reference_voxels}"
        lines.append(
            f"| {c.name} | {c.reference_cc:.2f} | {c.footprint_cc:.2f} ({unlike}) | {c.fine_cc:.2f} | {c.ours_cc:.2f} |"
        )
    return "\n\n".join([
        "A clinical bladder and rectum, beside the masks that a widely used program made of them on voxels of 0.977 x "
        "0.977 x 2.5 mm. Its margin of 5 mm is a footprint of 11 x 11 x 5 whole voxels, those within half axes of "
        "5.5 x 5.5 x 2.5 voxels or 5.37 x 5.37 x 6.25 mm: laid on the voxels whose centres lie inside, it gives the "
        "masks back to a few voxels. They are therefore larger (shrunk: smaller) than 5 mm is. What 5 mm is on voxels "
        "of 0.4 x 0.4 x 0.5 mm is told by a distance map.",
        "\n".join(lines),
    ])  # fmt: skip
