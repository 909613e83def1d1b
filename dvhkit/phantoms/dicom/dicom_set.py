"""Write a phantom as a linked set of DICOM files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from dvhkit.phantoms.dicom.dose import build_dose
from dvhkit.phantoms.dicom.image import build_slices
from dvhkit.phantoms.dicom.modules import save
from dvhkit.phantoms.dicom.plan import build_plan
from dvhkit.phantoms.dicom.structures import build_structure_set
from dvhkit.phantoms.dicom.uids import SetUids
from dvhkit.phantoms.sets.phantom_set import PhantomSet


def build_set(phantom: PhantomSet) -> Iterator[tuple[str, Dataset]]:
    """Yield file stem and data set of each object: CT slices, RTSTRUCT, RTPLAN, RTDOSE.

    For those who want to change a data set (or break it) before `save`.
    """
    uids = SetUids(phantom)
    if phantom.image is not None:
        for n, ds in enumerate(build_slices(phantom, uids, phantom.image), start=1):
            yield f"CT_{n:03d}", ds
    yield "RTSTRUCT", build_structure_set(phantom, uids)
    if phantom.plan is not None:
        yield "RTPLAN", build_plan(phantom, uids, phantom.plan)
    for n in range(len(phantom.doses)):
        stem = "RTDOSE" if len(phantom.doses) == 1 else f"RTDOSE_{n + 1}"
        yield stem, build_dose(phantom, uids, n)


def write_set(
    folder: Path | str,
    phantom: PhantomSet,
    *,
    omit: Collection[str] = (),
    suffix: str = ".dcm",
) -> tuple[Path, ...]:
    """Write a phantom and return the files in order: CT slices, RTSTRUCT, RTPLAN, RTDOSE.

    Parameters
    ----------
    folder
        Made if it is not there; files of the same name are overwritten.
    omit
        Modalities (``CT``, ``RTSTRUCT``, ``RTPLAN``, ``RTDOSE``) whose files are not written although the others
        refer to them, as happens in real exports. To have no reference either, leave the part out of the phantom.
    suffix
        File name ending; may be empty.

    Notes
    -----
    Explicit VR little endian (RLE for a compressed CT; implicit VR for a structure set with a contour beyond 65534
    bytes of text). The same phantom gives the same bytes in every run.
    """
    target = Path(folder)
    return tuple(
        save(ds, target / f"{stem}{suffix}") for stem, ds in build_set(phantom) if str(ds.Modality) not in omit
    )
