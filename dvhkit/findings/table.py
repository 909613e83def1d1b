"""Every code that a finding about a case can bear: its levels, and what it withholds from verdicts.

What a code means and what to do about it stands in docs/findings.md, whose columns a test holds against this table.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from dvhkit.errors import InputError
from dvhkit.findings.finding import Finding, Level, Withholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One code; a finding of it withholds `withholds` where its level is serious, and nothing otherwise."""

    code: str
    levels: tuple[Level, ...]
    withholds: Withholds


# Warnings after which a case is not shown as good, although its verdicts stand: its dose may well be another one.
DOUBTFUL = frozenset({"dose-displaced", "dose-of-other-plan", "dose-unlike-prescription"})


def _kind(code: str, *levels: Level, withholds: Withholds = Withholds.NOTHING) -> Kind:
    return Kind(code=code, levels=levels, withholds=withholds)


_ROWS = (
    _kind("no-dose", Level.WARNING),
    _kind("no-plan", Level.INFO),
    _kind("no-image", Level.INFO),
    _kind("plan-absent", Level.WARNING),
    _kind("several-plans", Level.WARNING),
    _kind("several-doses-of-plan", Level.WARNING),
    _kind("linked-by-frame", Level.WARNING),
    _kind("structure-set-disagrees", Level.WARNING),
    _kind("frame-of-reference-missing", Level.WARNING),
    _kind("roi-in-other-frame", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("registration-applied", Level.WARNING),
    _kind("frame-of-reference-vouched", Level.SERIOUS),
    _kind("image-in-other-frame", Level.WARNING),
    _kind("structure-set-without-dose", Level.INFO),
    _kind("plan-without-dose", Level.INFO),
    _kind("other-candidates", Level.WARNING),
    _kind("patients-differ", Level.SERIOUS, Level.WARNING, withholds=Withholds.LINKS),
    _kind("same-uid-differs", Level.SERIOUS, withholds=Withholds.LINKS),
    _kind("duplicate-files", Level.INFO),
    _kind("unreadable-files", Level.WARNING),
    _kind("beam-doses-not-added", Level.INFO),
    _kind("beam-doses-differ", Level.WARNING),
    _kind("doses-summed", Level.INFO),
    _kind("dose-of-fraction-group", Level.WARNING),
    _kind("dose-may-be-partial", Level.WARNING),
    _kind("dose-type-unknown", Level.WARNING),
    _kind("dose-effective", Level.SERIOUS, Level.WARNING, Level.INFO, withholds=Withholds.DOSE),
    _kind("plan-vouched", Level.WARNING),
    _kind("dose-unusable", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("ion-dose-physical", Level.SERIOUS, Level.WARNING, Level.INFO, withholds=Withholds.DOSE),
    _kind("dose-offsets-absolute", Level.WARNING),
    _kind("dose-implausible", Level.WARNING),
    _kind("dose-far-from-prescription", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("target-partly-cold", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("dose-displaced", Level.SERIOUS, Level.WARNING, withholds=Withholds.DOSE),
    _kind("target-outside-dose", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("dose-of-other-plan", Level.SERIOUS, Level.WARNING, withholds=Withholds.DOSE),
    _kind("dose-unlike-prescription", Level.WARNING),
    _kind("dose-unchecked", Level.INFO),
    _kind("dose-negative", Level.WARNING),
    _kind("dose-all-zero", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("dose-planes-uneven", Level.WARNING),
    _kind("dose-single-plane", Level.WARNING),
    _kind("stored-dvh-unusable", Level.INFO),
    _kind("stored-dvh-statistics", Level.INFO),
    _kind("stored-dvh-roi-absent", Level.WARNING),
    _kind("stored-dvh-bins", Level.INFO),
    _kind("stored-dvh-differs", Level.WARNING),
    _kind("stored-dvh-other-dose", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("tps-dvh-not-explained", Level.WARNING),
    _kind("tps-dvh-cut-off", Level.WARNING),
    _kind("no-prescription", Level.WARNING),
    _kind("prescription-implausible", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("prescription-roi-absent", Level.WARNING),
    _kind("prescription-roi-doubtful", Level.WARNING),
    _kind("prescription-differs", Level.WARNING),
    _kind("fractions-doubtful", Level.WARNING),
    _kind("several-prescriptions", Level.INFO),
    _kind("several-fraction-groups", Level.WARNING),
    _kind("no-fractions", Level.WARNING),
    _kind("plan-values-unreadable", Level.WARNING),
    _kind("approval-rejected", Level.WARNING),
    _kind("no-contours", Level.SERIOUS, withholds=Withholds.VOLUMES),
    _kind("roi-types-missing", Level.INFO),
    _kind("empty-structures", Level.INFO),
    _kind("equal-names", Level.WARNING),
    _kind("names-blank", Level.WARNING),
    _kind("roi-number-shared", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("contours-without-roi", Level.WARNING),
    _kind("contour-type-missing", Level.WARNING),
    _kind("contour-type-unknown", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("contours-implausible", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("contour-offset-applied", Level.WARNING),
    _kind("contour-offset-ignored", Level.WARNING),
    _kind("contour-point-count", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("image-slices-missing", Level.WARNING),
    _kind("image-linked-by-frame", Level.WARNING),
    _kind("image-ambiguous", Level.WARNING),
    _kind("image-unusable", Level.SERIOUS),
    _kind("image-single-slice", Level.WARNING),
    _kind("image-duplicate-slices", Level.WARNING),
    _kind("image-other-planes", Level.WARNING),
    _kind("image-gap", Level.WARNING),
    _kind("image-uneven-spacing", Level.INFO),
    _kind("image-thickness-differs", Level.INFO),
    _kind("image-file-cut", Level.WARNING),
    _kind("image-tilted", Level.WARNING),
    _kind("contours-outside-image", Level.WARNING),
    _kind("contours-between-slices", Level.INFO),
    _kind("sides-swapped", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("side-doubtful", Level.WARNING),
    _kind("implausible-volume", Level.WARNING),
    _kind("alias-overrides-name", Level.WARNING),
    _kind("one-meaning-twice", Level.WARNING),
    _kind("structure-empty", Level.INFO, Level.WARNING),
    _kind("contours-ignored", Level.INFO),
    _kind("mask-empty", Level.WARNING),
    _kind("mask-beyond-image", Level.WARNING),
    _kind("mask-other-lattice", Level.INFO),
    _kind("mask-renamed", Level.INFO),
    _kind("structures-from-segmentation", Level.INFO),
    _kind("mask-volume-differs", Level.WARNING),
    _kind("approval-does-not-hold", Level.WARNING),
    _kind("contour-repeated", Level.WARNING),
    _kind("contours-cross", Level.WARNING),
    _kind("contour-not-planar", Level.WARNING),
    _kind("planes-merged", Level.INFO),
    _kind("contour-near-copy", Level.SERIOUS),
    _kind("slices-collapsed", Level.SERIOUS),
    _kind("slices-rounded", Level.INFO),
    _kind("slices-skipped", Level.INFO),
    _kind("branch-filled", Level.WARNING),
    _kind("slice-missing", Level.WARNING),
    _kind("single-slice", Level.WARNING),
    _kind("slice-thickness-unknown", Level.SERIOUS, withholds=Withholds.ROI),
    _kind("export-without-area", Level.WARNING),
    _kind("export-cropped", Level.WARNING),
    _kind("export-all-zero", Level.WARNING),
    _kind("export-single-plane", Level.WARNING),
    _kind("mask-shrinks", Level.WARNING),
    _kind("name-near-twin", Level.WARNING),
    _kind("holes-xor", Level.WARNING),
    _kind("aliases-unused", Level.INFO),
    _kind("outside-dose-grid", Level.WARNING),
    _kind("gtv-not-in-level", Level.WARNING),
    _kind("name-of-other-level", Level.WARNING),
    _kind("vertebra-part-missing", Level.WARNING),
    _kind("vertebra-sides-differ", Level.WARNING),
    _kind("vertebra-uneven", Level.WARNING),
    _kind("vertebra-canal-drawn", Level.WARNING),
    _kind("vertebra-arch-open", Level.WARNING),
    _kind("vertebra-cropped", Level.WARNING),
    _kind("vertebra-in-pieces", Level.WARNING),
    _kind("vertebra-canal-filled", Level.WARNING),
    _kind("vertebra-too-tall", Level.WARNING),
    _kind("vertebra-cervical", Level.WARNING),
    _kind("vertebra-cervical-unseen", Level.WARNING),
    _kind("derived-empty", Level.WARNING),
    _kind("all-wall", Level.INFO),
    _kind("type-united", Level.INFO),
    _kind("margin-beyond-image", Level.WARNING),
    _kind("crop-cuts-source", Level.WARNING),
    _kind("recipe-out-of-range", Level.WARNING),
    _kind("recipe-at-discretion", Level.INFO),
    _kind("recipe-not-cropped", Level.WARNING),
    _kind("unused-context", Level.WARNING),
    _kind("name-cut", Level.INFO),
    _kind("type-not-defined", Level.WARNING),
    _kind("name-taken", Level.INFO),
    _kind("sum-grid-cut", Level.WARNING),
    _kind("unlike-fractions-summed", Level.SERIOUS),
    _kind("unlike-radiation-summed", Level.SERIOUS, withholds=Withholds.DOSE),
    _kind("dose-added-twice", Level.WARNING),
    _kind("eqd2-model-disputed", Level.WARNING),
    _kind("diameters-of-planning-contours", Level.INFO),
)
KINDS = {kind.code: kind for kind in _ROWS}


def withholds(finding: Finding) -> Withholds:
    """Return what a finding withholds; a code that this version does not know withholds nothing."""
    kind = KINDS.get(finding.code)
    return kind.withholds if kind is not None and finding.level is Level.SERIOUS else Withholds.NOTHING


def withholding(findings: Iterable[Finding], accepted: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return the findings that withhold something and that nobody vouched for."""
    return tuple(f for f in findings if f.code not in accepted and withholds(f) is not Withholds.NOTHING)


def in_doubt(findings: Iterable[Finding], accepted: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return the findings that call the dose into question without withholding it, and that nobody vouched for."""
    return tuple(f for f in findings if f.code in DOUBTFUL and f.code not in accepted)


def require_code(code: str) -> str:
    """Return `code` if it is one of the table. Raises `InputError` with the nearest one otherwise."""
    if code in KINDS:
        return code
    near = difflib.get_close_matches(code, KINDS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"{code[:60]!r} is no code of a finding.{hint}",
        remedy="The codes stand in docs/findings.md and in each report.",
    )
