"""The CTV of a bone metastasis, made or checked: plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneCtvMade:
    """A CTV made by the rule, its volumes, and the file that holds it where one was written.

    Attributes
    ----------
    extra_mm
        Margin beyond the bone; None where there is no breach.
    breach_cc
        Volume of GTV outside the bone.
    cut_off_cc
        Bone within the margin as the crow flies that is not reached along the bone, and so left out.
    """

    name: str
    gtv: str
    bone: str
    intra_mm: float
    extra_mm: float | None
    gtv_cc: float
    breach_cc: float
    cut_off_cc: float
    ctv_cc: float
    flags: tuple[str, ...]
    written: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneCheck:
    """A CTV that was drawn, held against the margin along the bone.

    Attributes
    ----------
    least_mm
        Shortest way along the bone from GTV to bone that the CTV leaves out; None where it leaves out none in reach.
        Known to about half a voxel.
    needed_cc, missing_cc, covered_frac
        Bone outside the GTV within the margin asked for, and the part of it that the CTV lacks.
    verdict
        ``pass`` from 95 % covered, ``review`` from 80 %, else ``fail``.
    most_mm
        Longest way along the bone from the GTV to bone that the CTV holds; 0 where it holds none beyond the GTV.
    reading
        Where the drawn margin stands by the rule, whatever was asked for: ``within`` 5-10 mm, ``at discretion`` (from
        3 mm), ``below`` that, or ``beyond`` 10 mm.
    """

    asked_mm: float
    least_mm: float | None
    most_mm: float
    reading: str
    needed_cc: float
    missing_cc: float
    covered_frac: float
    verdict: str
