"""Several observers of the same structures: what they agree upon, and who stands apart."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvhkit.errors import GeometryError, InputError, NotEvaluable
from dvhkit.jobs.contours.structure_sets import DrawnSet, into_frame_of, pair_structures, read_drawn, wanted
from dvhkit.results.contours.consensus import (
    AgreementLevel,
    Consensus,
    DomainMargin,
    LeftOut,
    Observer,
    PairDice,
    RoiConsensus,
    StapleEstimate,
)

if TYPE_CHECKING:
    from dvhkit.model.structure import Structure
    from dvhkit.outputs.rtstruct.write import NewRoi
    from dvhkit.targets.compare.observers import Staple
    from dvhkit.targets.compare.skin import Skin
    from dvhkit.targets.compare.votes import Votes

MARGIN_MM = 10.0
TOLERANCE_MM = 2.0
# Empty space that others may have taken: none, and that of a generous crop.
_OTHER_MARGINS_MM = (0.0, 30.0)
_MM3_PER_CC = 1000.0
# STAPLE against the vote, or against itself in another box, by more than this share is told.
_TOLD_FRAC = 0.01
_MOST_OBSERVERS = 60


def consensus_of(
    paths: Sequence[Path | str],
    *,
    roi: Sequence[str] | None = None,
    margin_mm: float = MARGIN_MM,
    tolerance_mm: float = TOLERANCE_MM,
    out: Path | None = None,
    levels: bool = False,
    add: bool = False,
    registration: Path | Sequence[Path] | None = None,
    same_frame: bool = False,
) -> Consensus:
    """Return what several observers agree upon, structure by structure.

    Parameters
    ----------
    paths
        RTSTRUCT files, or folders that hold one each; the first one's frame of reference counts.
    roi
        Names, with ``*`` and ``?`` as wildcards; None takes all that at least two drew.
    margin_mm
        Empty space around all contours that counts as agreed upon, for kappa and STAPLE.
    tolerance_mm
        For the surface Dice of the leave-one-out table.
    out
        Also write the consensus contours as RTSTRUCT: ``NAME_majority``, ``NAME_STAPLE``, and with `levels` what
        at least 1, 2, … observers took in.

    Raises
    ------
    InputError
        If a file cannot be read, fewer than two observers are given, or no structure was drawn by two.
    """
    if not 2 <= len(paths) <= _MOST_OBSERVERS:
        raise InputError(f"a consensus is of 2 to {_MOST_OBSERVERS} structure sets, not of {len(paths)}.")
    if not 0.0 <= margin_mm <= 500.0:
        raise InputError(f"a margin of empty space is 0 to 500 mm, not {margin_mm:g}.")
    sets = _in_one_frame([Path(p) for p in paths], registration, same_frame=same_frame)
    groups, alone = _groups(sets, roi)
    if not groups:
        raise InputError(
            "no structure was drawn by two observers.", remedy="Structures are joined by name; look at --roi."
        )
    rois: list[RoiConsensus] = []
    to_write: list[NewRoi] = []
    for group in groups:
        found, made = _one(group, sets[0], margin_mm, tolerance_mm, levels=levels if out else None)
        rois.append(found)
        to_write += made
    written = _write(out, to_write, sets[0], add=add) if out is not None else ()
    return Consensus(
        observers=tuple(Observer(observer=_letter(n), file=Path(p).name) for n, p in enumerate(paths)),
        rois=tuple(rois),
        drawn_by_one=alone,
        written=written,
        findings=tuple(dict.fromkeys(f for s in sets for f in s.findings)),
    )


def _letter(n: int) -> str:
    return string.ascii_uppercase[n] if n < 26 else f"{string.ascii_uppercase[n // 26 - 1]}{_letter(n % 26)}"


def _in_one_frame(
    paths: Sequence[Path], registration: Path | Sequence[Path] | None, *, same_frame: bool
) -> list[DrawnSet]:
    first, *others = (read_drawn(p) for p in paths)
    uids = [s.structures.sop_instance_uid for s in (first, *others)]
    if len(set(uids)) < len(uids):
        raise InputError(
            "one structure set is named twice: an observer would vote twice.", remedy="Name each observer's set once."
        )
    return [first, *(into_frame_of(first, o, registration=registration, same_frame=same_frame) for o in others)]


def _groups(
    sets: Sequence[DrawnSet], roi: Sequence[str] | None
) -> tuple[list[tuple[Structure | None, ...]], tuple[str, ...]]:
    """Return the structures that belong together, one an observer or None, and the names that only one drew."""
    groups: list[list[Structure | None]] = []
    taken: set[int] = set()
    for n, own in enumerate(sets):
        partners = [_partners(own, other, taken, by_rules=n == 0) for other in sets[n + 1 :]]
        for structure in own.structures:
            if id(structure) in taken:
                continue
            group = [None] * n + [structure] + [of.get(id(structure)) for of in partners]
            taken |= {id(s) for s in group if s is not None}
            groups.append(group)
    if roi:
        everything = [next(s for s in group if s is not None) for group in groups]
        chosen = {id(s) for s in wanted(everything, roi)}
        groups = [g for g, s in zip(groups, everything, strict=True) if id(s) in chosen]
    shared = [tuple(g) for g in groups if sum(s is not None and not s.is_empty for s in g) >= 2]
    alone = [next(s.name for s in g if s is not None) for g in groups if tuple(g) not in shared]
    return shared, tuple(alone)


def _partners(own: DrawnSet, other: DrawnSet, taken: set[int], *, by_rules: bool) -> dict[int, Structure]:
    if by_rules:
        return {id(p.a): p.b for p in pair_structures(own.structures, other.structures)}
    # What the first observer did not draw is joined by its name alone.
    names = {s.name.strip().casefold(): s for s in other.structures if id(s) not in taken}
    return {id(s): names[s.name.strip().casefold()] for s in own.structures if s.name.strip().casefold() in names}


def _one(
    group: Sequence[Structure | None], first: DrawnSet, margin_mm: float, tolerance_mm: float, *, levels: bool | None
) -> tuple[RoiConsensus, list[NewRoi]]:
    drawn = [(n, s) for n, s in enumerate(group) if s is not None and not s.is_empty]
    letters = tuple(_letter(n) for n, _ in drawn)
    structures = [s for _, s in drawn]
    record = RoiConsensus(
        roi=structures[0].name,
        names=tuple(s.name for s in structures),
        observers=letters,
        missing=tuple(_letter(n) for n in range(len(group)) if n not in {m for m, _ in drawn}),
        margin_mm=margin_mm,
    )
    try:
        skins = _skins(structures, first.slice_spacing_mm)
    except (GeometryError, NotEvaluable) as error:
        return replace(record, reason=str(error)), []
    return _measured(record, structures, skins, tolerance_mm, first.slice_spacing_mm, levels=levels)


def _skins(structures: Sequence[Structure], spacing_mm: float | None) -> list[Skin]:
    from dvhkit.targets.compare.agreement import share_planes
    from dvhkit.targets.compare.relaid import relaid
    from dvhkit.targets.compare.sections import grid_along, sections_of
    from dvhkit.targets.compare.skin import skin_of

    head = skin_of(sections_of(structures[0], slice_spacing_mm=spacing_mm, fallback_mm=1.0))
    along, gap = grid_along(head.sections.frame), head.sections.gap_mm
    skins = [head]
    for structure in structures[1:]:
        own = skin_of(sections_of(structure, along=along, slice_spacing_mm=spacing_mm, fallback_mm=gap))
        if not share_planes(head, own):
            laid = relaid(structure, own, head)
            own = skin_of(sections_of(laid, along=along, slice_spacing_mm=gap, fallback_mm=gap))
        skins.append(own)
    return skins


def _measured(
    record: RoiConsensus,
    structures: Sequence[Structure],
    skins: Sequence[Skin],
    tolerance_mm: float,
    spacing_mm: float | None,
    *,
    levels: bool | None,
) -> tuple[RoiConsensus, list[NewRoi]]:
    from dvhkit.targets.compare import observers
    from dvhkit.targets.compare.votes import votes_of

    votes = votes_of(skins)
    margin = record.margin_mm or 0.0
    found, estimate = _with_staple(_with_votes(record, votes), votes, margin)
    interval = observers.kappa_interval(votes, margin)
    rows = [
        _left_out(n, record, structures[n], skins, votes, tolerance_mm=tolerance_mm, spacing_mm=spacing_mm)
        for n in range(votes.n)
        if votes.n > 2
    ]
    found = replace(
        found,
        kappa=observers.fleiss_kappa(votes, margin),
        kappa_low=interval[0] if interval else None,
        kappa_high=interval[1] if interval else None,
        leave_one_out=tuple(rows),
    )
    made = list(_regions(structures[0], skins, estimate, levels=levels)) if levels is not None else []
    return found, made


def _with_votes(record: RoiConsensus, votes: Votes) -> RoiConsensus:
    from dvhkit.targets.compare import observers

    counts, cc = votes.counts, votes.volumes_mm3 / _MM3_PER_CC
    dice = observers.pair_dice(votes)
    return replace(
        record,
        volumes_cc=tuple(float(cc[votes.has(n)].sum()) for n in range(votes.n)),
        majority_cc=float(cc[2 * counts > votes.n].sum()),
        ties_cc=float(cc[2 * counts == votes.n].sum()),
        conformity=observers.conformity(votes),
        agreement=tuple(
            AgreementLevel(at_least=k, volume_cc=float(cc[counts >= k].sum())) for k in range(1, votes.n + 1)
        ),
        pairs=tuple(
            PairDice(observer_a=record.observers[a], observer_b=record.observers[b], dice=float(dice[a, b]))
            for a in range(votes.n)
            for b in range(a + 1, votes.n)
        ),
    )


def _with_staple(record: RoiConsensus, votes: Votes, margin_mm: float) -> tuple[RoiConsensus, Staple | None]:
    """Return the record with STAPLE beside the vote, here and in other boxes, and what is to be told of it."""
    from dvhkit.targets.compare import observers

    cc, counts = votes.volumes_mm3 / _MM3_PER_CC, votes.counts
    margins = sorted({margin_mm, *_OTHER_MARGINS_MM})
    try:
        found = {m: observers.staple(votes, m) for m in margins}
    except InputError as missing:
        rows = tuple(DomainMargin(margin_mm=m, kappa=observers.fleiss_kappa(votes, m), staple_cc=None) for m in margins)
        return replace(record, by_margin=rows, remarks=(f"STAPLE: {missing}",)), None
    taken = {m: np.array([int(p) in s.taken_in for p in votes.patterns]) for m, s in found.items()}
    here, most = taken[margin_mm], 2 * counts > votes.n
    estimate = StapleEstimate(
        volume_cc=float(cc[here].sum()),
        sensitivity=found[margin_mm].sensitivity,
        specificity=found[margin_mm].specificity,
        few_added_cc=float(cc[here & ~most].sum()),
        many_removed_cc=float(cc[most & ~here].sum()),
    )
    rows = tuple(
        DomainMargin(margin_mm=m, kappa=observers.fleiss_kappa(votes, m), staple_cc=float(cc[taken[m]].sum()))
        for m in margins
    )
    told = _remarks(estimate, rows, float(cc[most].sum()))
    return replace(record, staple=estimate, by_margin=rows, remarks=told), found[margin_mm]


def _remarks(estimate: StapleEstimate, rows: Sequence[DomainMargin], majority_cc: float) -> tuple[str, ...]:
    least = _TOLD_FRAC * majority_cc
    told = []
    if estimate.few_added_cc > least or (estimate.few_added_cc > 0 and not majority_cc):
        told.append(f"STAPLE takes in {estimate.few_added_cc:.3g} cc that no majority drew.")
    if estimate.many_removed_cc > least:
        told.append(f"STAPLE leaves out {estimate.many_removed_cc:.3g} cc that a majority drew.")
    volumes = [r.staple_cc for r in rows if r.staple_cc is not None]
    if volumes and max(volumes) - min(volumes) > least:
        told.append(
            f"STAPLE depends on the empty space around: {min(volumes):.4g} to {max(volumes):.4g} cc "
            f"for {rows[0].margin_mm:g} to {rows[-1].margin_mm:g} mm."
        )
    return tuple(told)


def _left_out(
    n: int,
    record: RoiConsensus,
    own: Structure,
    skins: Sequence[Skin],
    votes: Votes,
    *,
    tolerance_mm: float,
    spacing_mm: float | None,
) -> LeftOut:
    """Return one observer against the majority of the others."""
    from dvhkit.targets.compare import observers
    from dvhkit.targets.compare.agreement import compare
    from dvhkit.targets.compare.votes import common_slices_mm, region

    others = [s for k, s in enumerate(skins) if k != n]
    rest, heights = votes.without(n), common_slices_mm(skins)
    most = region(others, heights, lambda p: observers.is_majority(p, rest.n), name="majority of the others", like=own)
    row = compare(most, own, tolerance_mm=tolerance_mm, slice_spacing_mm=spacing_mm)
    return LeftOut(
        observer=record.observers[n],
        volume_cc=float(votes.volumes_mm3[votes.has(n)].sum()) / _MM3_PER_CC,
        others_cc=float(rest.volumes_mm3[2 * rest.counts > rest.n].sum()) / _MM3_PER_CC,
        dice=row.dice,
        hd95_pooled_mm=row.hd95_pooled_mm,
        mean_surface_distance_mm=row.mean_surface_distance_mm,
        surface_dice=row.surface_dice,
        centroid_shift_mm=row.centroid_shift_mm,
        kappa_without=observers.fleiss_kappa(rest, record.margin_mm or 0.0),
        reason=row.reason,
    )


def _regions(like: Structure, skins: Sequence[Skin], estimate: Staple | None, *, levels: bool) -> Iterator[NewRoi]:
    from dvhkit.outputs.rtstruct.write import NewRoi
    from dvhkit.targets.compare import observers
    from dvhkit.targets.compare.votes import common_slices_mm, region

    n, heights = len(skins), common_slices_mm(skins)
    wanted: list[tuple[str, str, Callable[[int], bool]]] = [
        ("majority", f"drawn by more than half of {n} observers", lambda p: observers.is_majority(p, n))
    ]
    if estimate is not None:
        wanted.append(("STAPLE", f"STAPLE of {n} observers", lambda p: p in estimate.taken_in))
    if levels:
        wanted += [(f"{k}of{n}", f"drawn by at least {k} of {n} observers", _at_least(k)) for k in range(1, n + 1)]
    for suffix, how, chosen in wanted:
        made = region(skins, heights, chosen, name=f"{like.name}_{suffix}", like=like)
        yield NewRoi(structure=made, how=how)


def _at_least(k: int) -> Callable[[int], bool]:
    return lambda pattern: pattern.bit_count() >= k


def _write(out: Path, rois: Sequence[NewRoi], first: DrawnSet, *, add: bool) -> tuple[str, ...]:
    from dvhkit.outputs.rtstruct.write import write_rtstruct

    if not rois:
        raise InputError("there is no consensus to write.")
    written = write_rtstruct(
        out,
        rois,
        source=first.structures.path,
        image=first.image,
        keep_existing=add,
        label="consensus",
        name_longest=64,
    )
    return written.names
