"""The CTV of a metastasis in a bone other than the spine: made and filed, or checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.results.targets.bone import BoneCheck, BoneCtvMade
from dvhkit.targets.derive.bone import bone_ctv, check_bone_ctv

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.targets.derive.bone import BoneCtv


def make_bone_ctv(
    case: Case, gtv: str, bone: str, *, intra_mm: float, extra_mm: float, name: str, out: Path | None, add: bool
) -> BoneCtvMade:
    """Make the CTV by the rule, and write it as RTSTRUCT where `out` is named, with `add` into a copy of the set.

    Raises
    ------
    InputError
        As of `dvhkit.targets.derive.bone.bone_ctv`; also where the structure set lies in no file to write beside.
    """
    made = bone_ctv(
        case.structures[gtv], case.structures[bone], intra_mm=intra_mm, extra_mm=extra_mm, image=case.image, name=name
    )
    return BoneCtvMade(
        name=name,
        gtv=gtv,
        bone=bone,
        intra_mm=made.intra_mm,
        extra_mm=made.extra_mm,
        gtv_cc=made.gtv_cc,
        breach_cc=made.breach_cc,
        cut_off_cc=made.cut_off_cc,
        ctv_cc=made.ctv_cc,
        flags=tuple(str(flag) for flag in made.flags),
        written=_filed(case, made, f"{gtv} + {made.intra_mm:g} mm along {bone}", out, add=add) if out else None,
    )


def _filed(case: Case, made: BoneCtv, how: str, out: Path, *, add: bool) -> tuple[str, tuple[str, ...]]:
    source = case.structures.path
    if source is None:
        raise InputError("the structure set lies in no file.")
    how += "" if made.extra_mm is None else f", {made.extra_mm:g} mm beyond"
    roi = NewRoi(structure=made.structure, how=how)
    written = write_rtstruct(out, [roi], source=source, image=case.image, keep_existing=add)
    return str(written.path), tuple(written.names)


def checked_bone_ctv(case: Case, gtv: str, ctv: str, bone: str, *, least_mm: float) -> BoneCheck:
    """Hold a CTV that was drawn against the least margin along the bone; see `check_bone_ctv`."""
    drawn = case.structures
    return check_bone_ctv(drawn[gtv], drawn[ctv], drawn[bone], least_mm=least_mm, image=case.image)
