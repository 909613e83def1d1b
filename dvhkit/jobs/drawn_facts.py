"""What the contours of a case tell by themselves: which is the body, how targets lie in each other, margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvhkit.errors import GeometryError, NotEvaluable, Reason
from dvhkit.jobs.facts import StatedFacts, containment_fact
from dvhkit.protocols.facts import ContainmentFact, MarginFact, PairFact
from dvhkit.results.audit import MarginMap, Verdict
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.engine.options import EngineOptions
    from dvhkit.model.case import Case
    from dvhkit.model.structure import Structure


class DrawnFacts(StatedFacts):
    """The part of what protocols ask of a case that needs its contours and no dose.

    Parameters
    ----------
    case, accept_effective
        As of `StatedFacts`.
    options
        How the engine fills in between and beyond slices.
    """

    def __init__(self, case: Case, *, accept_effective: bool, options: EngineOptions) -> None:
        super().__init__(case, accept_effective=accept_effective)
        self.options = options
        self._margin_maps: dict[tuple[RoiRef, RoiRef], MarginMap] = {}

    def _by_number(self, ref: RoiRef) -> Structure:
        """Return the ROI that `ref` means; its name decides where a file gives one number twice."""
        same = [s for s in self.case.structures if s.number == ref.number]
        return next((s for s in same if s.name == ref.name), same[0])

    def body_structure(self) -> Structure:
        """Return the body's outline; raises `NotEvaluable` where it is not plain which ROI that is."""
        return self._by_number(self._body_ref())

    def _body_ref(self) -> RoiRef:
        """Return the ROI that is the body's outline; raises `NotEvaluable` where that is not plain."""
        from dvhkit.targets.regions.bodies import bodies_of

        found = bodies_of(self.case.structures)
        if len(found) != 1:
            reason = Reason.AMBIGUOUS_STRUCTURE if found else Reason.NO_STRUCTURE
            raise NotEvaluable(f"{len(found)} structures are the body's outline; just one is needed.", reason=reason)
        return RoiRef(found[0].number, found[0].name)

    def pairs(self, inners: Sequence[RoiRef], outers: Sequence[RoiRef]) -> tuple[PairFact, ...]:
        """Return which of `outers` was drawn round each of `inners`, by the rule of a margin check."""
        from dvhkit.targets.regions.pairing import pair_between

        refs = {id(self._by_number(ref)): ref for ref in (*inners, *outers)}
        sides = ([self._by_number(ref) for ref in side] for side in (inners, outers))
        return tuple(
            PairFact(
                inner=refs[id(pair.inner)],
                outer=None if pair.outer is None else refs[id(pair.outer)],
                how=pair.how,
                rivals=pair.rivals,
            )
            for pair in pair_between(*sides, slice_spacing_mm=self.case.slice_spacing_mm)
        )

    def margin(self, inner: RoiRef, outer: RoiRef, expect: str) -> MarginFact:
        """Return what margin was drawn between two ROIs, held against `expect`; what is lacking is a reason."""
        from dvhkit.targets.achieved.check import describe, measure_margin, worst_margin
        from dvhkit.targets.achieved.margin_map import joined, map_record

        try:
            measure = measure_margin(
                self._by_number(inner),
                self._by_number(outer),
                expect=expect,
                others=self.case.structures.structures,
                slice_spacing_mm=self.case.slice_spacing_mm,
                options=self.options,
            )
        except NotEvaluable as lack:
            return MarginFact(verdict=Verdict.NOT_EVALUABLE, reason_code=lack.reason.value, reason=lack.message)
        except GeometryError as error:
            return MarginFact(verdict=Verdict.NOT_EVALUABLE, reason_code=Reason.NO_VOLUME.value, reason=error.message)
        check, note = measure.check, describe(measure.check)
        drawn = map_record(measure, note)
        known = self._margin_maps.get((inner, outer))
        self._margin_maps[inner, outer] = drawn if known is None else joined(known, drawn)
        value, low, high = worst_margin(check)
        reason = None if check.verdict is Verdict.PASS else "; ".join(check.reasons)
        return MarginFact(verdict=check.verdict, value_mm=value, low_mm=low, high_mm=high, reason=reason, note=note)

    def containment(self, between: tuple[str, str] | None) -> tuple[ContainmentFact, ...]:
        """Return how much of each target lies outside the structure that was drawn round it."""
        from dvhkit.targets.achieved.containment import target_links

        links = target_links(
            self.case.structures.structures,
            between=between,
            slice_spacing_mm=self.case.slice_spacing_mm,
        )
        return tuple(containment_fact(pair, held) for pair, held in links)

    def margin_maps(self) -> tuple[MarginMap, ...]:
        """Return a map of each pair of structures whose margin was asked for so far."""
        return tuple(self._margin_maps.values())
