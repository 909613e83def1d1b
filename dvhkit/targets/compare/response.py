"""RECIST 1.1 from diameters over time (Eisenhauer 2009), best overall response with and without confirmation.

Rules of the sums: CR all targets gone and all nodes below 10 mm; PD 20 % and 5 mm above the smallest sum so far, or any
target that comes back after CR; PR 30 % below the baseline; SD else. A sum of which a part could not be measured is not
evaluable, unless what was measured is PD already. Confirmation follows the published rules for time points: a later CR
(or, for PR, CR or PR) at least so many days on, with at most one NE and nothing else between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

CR, PR, SD, PD, NE, NN = "CR", "PR", "SD", "PD", "NE", "NON-CR/NON-PD"
NONE = "none"
PR_FRAC, PD_FRAC, PD_MM, NODE_NORMAL_MM = 0.30, 0.20, 5.0, 10.0
TOO_SMALL_MM = 5.0
_RANK = (CR, PR, SD, NN, PD, NE)
# Diameters are told to a tenth of a millimetre.
_ROUNDED = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One lesion at one time point; `mm` is the short axis of a node. None is not measured."""

    lesion: str
    is_node: bool
    mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One assessment: targets; states of non-targets (``gone``, ``present``, ``progressed``, ``ne``); new lesions."""

    day: int
    targets: tuple[Reading, ...] = ()
    non_targets: tuple[str, ...] = ()
    new_lesion: bool = False


@dataclass(slots=True)
class Sums:
    """What is known before a visit: the baseline's sum, the smallest so far, whether all targets have been gone."""

    baseline_mm: float | None = None
    nadir_mm: float | None = None
    was_gone: set[str] = field(default_factory=set)
    was_complete: bool = False


def sum_of(visit: Visit) -> float | None:
    """Return the sum of the targets; None where one was not measured, or there are none."""
    values = [r.mm for r in visit.targets]
    return None if not values or any(v is None for v in values) else float(sum(v for v in values if v is not None))


def target_response(visit: Visit, before: Sums, *, scale: float = 1.0) -> str:
    """Return the response of the targets; `scale` is by how much a reader may be off."""
    if not visit.targets:
        return NONE
    measured = [r for r in visit.targets if r.mm is not None]
    known = scale * sum(r.mm for r in measured if r.mm is not None)
    if _has_grown(measured, known, before):
        return PD
    if len(measured) < len(visit.targets) or before.baseline_mm is None:
        return NE
    if all((r.mm or 0.0) < NODE_NORMAL_MM if r.is_node else not r.mm for r in measured):
        return CR
    return PR if known <= (1.0 - PR_FRAC) * before.baseline_mm + _ROUNDED else SD


def _has_grown(measured: Sequence[Reading], known: float, before: Sums) -> bool:
    """Whether targets have grown beyond the smallest sum so far, or one came back after all were gone."""
    if before.was_complete and any(not r.is_node and r.mm and r.lesion in before.was_gone for r in measured):
        return True
    if before.nadir_mm is None:
        return False
    rise = known - before.nadir_mm
    return rise >= PD_MM - _ROUNDED and rise >= PD_FRAC * before.nadir_mm - _ROUNDED


def non_target_response(states: Sequence[str]) -> str:
    """Return the response of the non-targets."""
    if not states:
        return NONE
    if "progressed" in states:
        return PD
    if "ne" in states:
        return NE
    return CR if all(s == "gone" for s in states) else NN


def overall_response(target: str, non_target: str, *, new_lesion: bool) -> str:
    """Return the response of all (Eisenhauer 2009, tables 1 and 2)."""
    if new_lesion or PD in {target, non_target}:
        return PD
    if target == NONE:
        return NE if non_target == NONE else non_target
    if target == CR:
        return CR if non_target in {CR, NONE} else PR
    return target


def after(visit: Visit, before: Sums) -> Sums:
    """Return what is known after a visit."""
    total = sum_of(visit)
    found = Sums(before.baseline_mm, before.nadir_mm, set(before.was_gone), before.was_complete)
    if total is not None:
        found.baseline_mm = total if before.baseline_mm is None else before.baseline_mm
        found.nadir_mm = total if before.nadir_mm is None else min(before.nadir_mm, total)
    found.was_gone |= {r.lesion for r in visit.targets if r.mm == 0.0}
    readings = visit.targets
    gone = bool(readings) and all(
        r.mm is not None and (r.mm < NODE_NORMAL_MM if r.is_node else r.mm == 0.0) for r in readings
    )
    found.was_complete = before.was_complete or gone
    return found


def best_overall(responses: Sequence[tuple[int, str]], *, sd_days: int) -> str:
    """Return the best of (day, response) up to the first PD; SD only counts from `sd_days` on."""
    kept = _until_progress(responses)
    counted = [NE if r in {SD, NN} and day < sd_days else r for day, r in kept]
    return min(counted, key=_RANK.index, default=NE)


def confirmed_best(
    responses: Sequence[tuple[int, str]], *, confirm_days: int, sd_days: int, most_ne: int = 1
) -> tuple[str, list[str]]:
    """Return the best response that a later one confirms, and what is odd about the sequence.

    CR or PR that nothing confirms counts as SD where it was seen `sd_days` or more after the baseline, else not at all.
    """
    kept = _until_progress(responses)
    odd = []
    if any(r == CR and any(later == PR for _, later in kept[n + 1 :]) for n, (_, r) in enumerate(kept)):
        odd.append("CR is followed by PR: one of the two is a mistake, or PD was missed")
    found = [_counted(kept, n, confirm_days, sd_days, most_ne) for n in range(len(kept))]
    return min(found, key=_RANK.index, default=NE), odd


def _counted(kept: Sequence[tuple[int, str]], n: int, confirm_days: int, sd_days: int, most_ne: int) -> str:
    day, response = kept[n]
    if response in {CR, PR} and _is_confirmed(kept, n, confirm_days, most_ne):
        return response
    if response in {CR, PR, SD}:
        # A CR that later PRs follow is confirmed as PR by them.
        if response == CR and _is_confirmed(kept, n, confirm_days, most_ne, as_pr=True):
            return PR
        return SD if day >= sd_days else NE
    if response == NN:
        return NN if day >= sd_days else NE
    return response


def _is_confirmed(
    kept: Sequence[tuple[int, str]], n: int, confirm_days: int, most_ne: int, *, as_pr: bool = False
) -> bool:
    day, response = kept[n]
    good = {CR} if response == CR and not as_pr else {CR, PR}
    missing = 0
    for later, found in kept[n + 1 :]:
        if found in good and later - day >= confirm_days:
            return True
        if found == NE:
            missing += 1
        if found not in good | {NE} or missing > most_ne:
            return False
    return False


def _until_progress(responses: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    kept = []
    for day, response in responses:
        kept.append((day, response))
        if response == PD:
            break
    return kept
