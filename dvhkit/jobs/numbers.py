"""The numbers of one case, each computed once: what protocols, tables and reports ask of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Literal

from dvhkit.errors import GeometryError, NotEvaluable, Reason, UnknownStructureError
from dvhkit.findings import Finding, Withholds, withholding, withholds
from dvhkit.jobs.drawn_facts import DrawnFacts
from dvhkit.metrics.evaluate import evaluate_metric as metric_of_dvh
from dvhkit.metrics.expression import Metric
from dvhkit.metrics.plotted import curve_record
from dvhkit.metrics.prescribed import prescriptions_for
from dvhkit.metrics.shape import SHAPE_KINDS
from dvhkit.metrics.summed import metric_of_sum
from dvhkit.protocols.files.load import Protocol
from dvhkit.protocols.naming.regions import Region, parse_region
from dvhkit.protocols.naming.select import select
from dvhkit.protocols.naming.selector import StructureSelector
from dvhkit.protocols.verdict import withheld_metric
from dvhkit.results.audit import Curve, MetricResult
from dvhkit.targets.regions.expression import Evaluation, Leaf, RoiRef, is_expression, leaves_of

if TYPE_CHECKING:
    from dvhkit.engine.options import EngineOptions
    from dvhkit.model.case import Case
    from dvhkit.model.dose import StoredDvh
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.structure import Structure

__all__ = ["CaseNumbers", "Region", "Uncovered", "side_by_side"]

Uncovered = Literal["refuse", "exclude"]

# How many DVHs are computed side by side, where the caller says it; 0 where not.
_asked_threads: ContextVar[int] = ContextVar("asked_threads", default=0)
# Names are resolved for one expression; a protocol's aliases have no say in it.
_NO_PROTOCOL = Protocol(id="", version="", title="", rules=())


class CaseNumbers(DrawnFacts):
    """All numbers of one case: each DVH is computed once, when it is first asked for.

    This is what protocols see of a case (`dvhkit.protocols.facts.CaseFacts`), so that they need neither DICOM nor
    voxels.

    Parameters
    ----------
    case
        The case, as `dvhkit.read_case` returns it.
    engine
        Name of the engine profile; None is the default one.
    uncovered
        Where over 1 % of a structure lies outside the dose grid: ``refuse`` gives no value, ``exclude`` that of the
        part inside.
    accept_effective
        Whether limits are meant in the dose although it is a biologically effective one (`foreign_dose`).
    accepted
        Codes of findings that somebody vouched for: they withhold nothing.
    with_bands
        Whether numbers have bands; without them a DVH takes less than half the time.

    Raises
    ------
    InputError
        If there is no such profile.
    """

    def __init__(
        self,
        case: Case,
        *,
        engine: str | None = None,
        uncovered: Uncovered = "refuse",
        accept_effective: bool = False,
        accepted: Collection[str] = (),
        with_bands: bool = True,
    ) -> None:
        effective = accept_effective or "dose-effective" in accepted
        super().__init__(case, accept_effective=effective, options=_engine_options(engine))
        self.accepted = frozenset(accepted) | ({"dose-effective"} if accept_effective else frozenset())
        self.uncovered = uncovered
        self.with_bands = with_bands
        self._structures: dict[Region, Structure] = {}
        self._dvhs: dict[Region, Dvh] = {}
        self._findings: list[Finding] = []
        self._dose_findings: tuple[Finding, ...] | None = None
        self._why_no_dose = next((f.message for f in case.findings if f.code == "dose-unusable"), "")

    def region(self, roi: str | int) -> Region:
        """Return what `roi` names: a structure, ``#number``, or an expression.

        Expressions follow `dvhkit.targets.regions.expression`: ``Liver - GTV``, ``PTV - (SpinalCanal + 3mm)``.

        Raises
        ------
        UnknownStructureError
            With the names there are.
        """
        if isinstance(roi, str) and roi not in self.case.structures and is_expression(roi):
            expression = parse_region(roi, known=self.case.structures.names)
            selector = StructureSelector(derived=expression, derived_text=roi)
            try:
                return select(selector, _NO_PROTOCOL, self.structures())[0].region
            except NotEvaluable as lack:
                raise UnknownStructureError(lack.message, path=self.case.structures.path, where=roi) from None
        structure = self.case.structures[roi]
        return RoiRef(structure.number, structure.name)

    def every_roi(self) -> list[Region]:
        """Return all ROIs in stored order, empty ones too."""
        return [RoiRef(s.number, s.name) for s in self.case.structures]

    def structure(self, region: Region) -> Structure:
        """Return the contours of a region. Raises `GeometryError` if its parts do not fit together."""
        if region not in self._structures:
            self._structures[region] = self._make(region)
        return self._structures[region]

    def _make(self, region: Region) -> Structure:
        if isinstance(region, RoiRef):
            return self._by_number(region)
        work = Evaluation(self._leaf, image=self.case.image, options=self.options, fine=True)
        made = replace(work.value(region.tree), name=str(region))
        self._findings += work.findings
        return made

    def _leaf(self, leaf: Leaf) -> Structure:
        assert isinstance(leaf, RoiRef)  # names were resolved before
        return self._by_number(leaf)

    def dvh(self, region: Region) -> Dvh:
        """Return the DVH of a region. Raises `GeometryError` for contours that mean nothing in space."""
        if region not in self._dvhs:
            self._dvhs[region] = self._compared(self._compute(self.structure(region)), region)
        return self._dvhs[region]

    def known_dvh(self, region: Region) -> Dvh | None:
        """Return the DVH of a region if it was computed; None otherwise."""
        return self._dvhs.get(region)

    def _compared(self, dvh: Dvh, region: Region) -> Dvh:
        """Return the DVH with a finding where the curve that the planning system stored for the ROI differs."""
        from dvhkit.metrics.agreement import disagreement

        odd: dict[tuple[int, ...], list[Finding | None]] = {}
        for stored in self._stored_dvhs(region):
            found = disagreement(self._less(dvh, region, stored), stored)
            odd.setdefault(stored.excluded_numbers, []).append(found)
        # Of several stored for one and the same, it is enough that one agrees.
        met = [found[0] for found in odd.values() if found[0] is not None and None not in found]
        return replace(dvh, findings=(*dvh.findings, *met)) if met else dvh

    def _less(self, dvh: Dvh, region: Region, stored: StoredDvh) -> Dvh:
        """Return the DVH of an ROI less those that a stored curve excludes; `dvh` where it excludes none."""
        from dvhkit.engine.combine import combine

        if not stored.excluded_numbers:
            return dvh
        parts = [self.structure(region), *(self.case.structures[n] for n in stored.excluded_numbers)]
        name = " - ".join(part.name for part in parts)
        return self._compute(reduce(lambda a, b: combine("-", a, b, name=name, options=self.options, fine=True), parts))

    def _stored_dvhs(self, region: Region) -> list[StoredDvh]:
        """Return what is stored for an ROI, if the numbers of the stored curves are those of this structure set."""
        dose, own = self.case.dose, self.case.structures
        if dose is None or not isinstance(region, RoiRef):
            return []
        elsewhere = dose.referenced_structure_set_uid not in ("", own.sop_instance_uid)
        if elsewhere or sum(s.number == region.number for s in own) != 1:
            return []
        once = {n for n, count in Counter(s.number for s in own).items() if count == 1}
        return [
            stored
            for stored in dose.stored_dvhs
            if stored.roi_number == region.number and once.issuperset(stored.excluded_numbers)
        ]

    def stored_dvhs_of(self, structure: Structure) -> list[StoredDvh]:
        """Return the DVHs that the planning system stored for a structure, if their numbers are of this set."""
        return self._stored_dvhs(RoiRef(structure.number, structure.name))

    def made(self) -> list[Region]:
        """Return what was measured that is no ROI of the file: expressions, margins."""
        return [region for region in self._dvhs if not isinstance(region, RoiRef)]

    def plain_dvh(self, structure: Structure) -> Dvh:
        """Return the DVH of contours for looking at them on the way: without bands, unless it is there already."""
        region = RoiRef(structure.number, structure.name)
        known = self._dvhs.get(region)
        if known is not None and self.structure(region) is structure:
            return known
        return self._compute(structure, with_band=False)

    def _compute(self, structure: Structure, *, with_band: bool = True) -> Dvh:
        from dvhkit.engine.dvh import compute_dvh as dvh_of_structure

        image = self.case.image
        return dvh_of_structure(
            structure,
            self.case.dose,
            options=self.options,
            slice_spacing_mm=self.case.slice_spacing_mm,
            image=image.grid if image is not None else None,
            with_band=with_band and self.with_bands,
        )

    def prepare(self, regions: Sequence[Region]) -> None:
        """Compute the DVHs of `regions` side by side: the engine's kernels release Python's lock."""
        missing = [region for region in dict.fromkeys(regions) if region not in self._dvhs]
        # The longest first, so that no thread is left with it at the end.
        missing.sort(key=lambda region: -sum(len(c.points_mm) for c in self.structure(region).contours))
        with ThreadPoolExecutor(_threads()) as pool:
            list(pool.map(self._attempt, missing))

    def _attempt(self, region: Region) -> None:
        with suppress(GeometryError):  # raised again, and turned into a reason, when a number is asked for
            self.dvh(region)

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Take up what others found about the case, before any number is asked for."""
        self._findings += findings

    def metric(self, roi: Region, metric: Metric) -> MetricResult:
        """Return one metric of one region; a lack of data is a result with a reason, never raised.

        A value that a finding withholds is there, with the reason beside it (`MetricResult.withheld`).
        """
        row = self._measured(roi, metric)
        why = self._withheld(roi, on_dose=metric.kind not in ("Volume", *SHAPE_KINDS)) if row.value is not None else ()
        return row if not why else withheld_metric(row, why)

    def withheld_links(self) -> tuple[Finding, ...]:
        """Return the findings after which nothing of the case may be judged: its files may not belong together."""
        return tuple(f for f in self._case_withholding() if withholds(f) is Withholds.LINKS)

    def dose_findings(self) -> tuple[Finding, ...]:
        """Return what makes the dose doubtful, judged by the targets' own dose; measured once."""
        if self._dose_findings is None:
            from dvhkit.jobs.plausibility import dose_findings

            self._dose_findings = dose_findings(self)
        return self._dose_findings

    def _case_withholding(self) -> tuple[Finding, ...]:
        return withholding((*self.case.findings, *self._findings, *self.dose_findings()), self.accepted)

    def _withheld(self, roi: Region, *, on_dose: bool) -> tuple[Finding, ...]:
        """Return the findings that withhold a metric of a region."""
        names = set(_roi_names(roi))
        found = []
        for finding in self._case_withholding():
            kind = withholds(finding)
            of_roi = kind is Withholds.ROI and bool(names & set(finding.rois))
            if kind in (Withholds.LINKS, Withholds.VOLUMES) or of_roi or (kind is Withholds.DOSE and on_dose):
                found.append(finding)
        own = self._dvhs[roi].findings if roi in self._dvhs else ()
        return (*found, *(f for f in withholding(own, self.accepted) if withholds(f) is Withholds.ROI))

    def _measured(self, roi: Region, metric: Metric) -> MetricResult:
        if metric.kind in SHAPE_KINDS:
            return self._shape(roi, metric)
        try:
            dvh = self.dvh(roi)
        except GeometryError as error:
            return _no_geometry(roi, metric, error)
        number = roi.number if isinstance(roi, RoiRef) else None
        summed = self.case.summed
        asked, why_not = (metric, "") if summed is None else metric_of_sum(metric, summed)
        if why_not:
            return _without_value(roi, metric, Reason.NOT_APPLICABLE, why_not)
        row = metric_of_dvh(
            asked,
            # The volume has its band without a dose, too.
            dvh if self.case.dose is not None or asked.kind == "Volume" else None,
            roi=str(roi),
            prescription=prescriptions_for(self.case.prescriptions, number),
            uncovered=self.uncovered,
            volume_cc=dvh.volume_cc,
            # Of a sum of courses no number of fractions is that of the dose in each voxel.
            fractions=self.case.fractions if summed is None else None,
            body=self._body,
            beyond=lambda distance_mm: self._beyond(roi, distance_mm),
            targets=sum(s.rt_roi_type == "PTV" and not s.is_empty for s in self.case.structures),
        )
        if row.reason_code == Reason.NO_DOSE and self._why_no_dose:
            row = replace(row, reason=self._why_no_dose)
        return row if asked is metric else replace(row, metric=metric.canonical)

    def _shape(self, roi: Region, metric: Metric) -> MetricResult:
        """Return a number of size or shape: from the contours, whatever the dose."""
        from dvhkit.targets.compare.shape import shape_value

        try:
            value = shape_value(self.structure(roi), metric.kind, slice_spacing_mm=self.case.slice_spacing_mm)
        except GeometryError as error:
            return _no_geometry(roi, metric, error)
        except NotEvaluable as lack:
            return _without_value(roi, metric, lack.reason, lack.message)
        return MetricResult(roi=str(roi), metric=metric.canonical, unit=metric.unit.value, value=value)

    def _beyond(self, roi: Region, distance_mm: float) -> Dvh:
        """Return the DVH of the body farther than `distance_mm` from a region; raises `NotEvaluable` without a body."""
        from dvhkit.engine.combine import combine
        from dvhkit.targets.derive.margin import grow

        body = self._by_number(self._body_ref())
        near = grow(self.structure(roi), distance_mm, image=self.case.image, options=self.options).structure
        return self._compute(combine("-", body, near, name=f"{body.name} beyond {distance_mm:g} mm"))

    def _body(self) -> Dvh:
        """Return the DVH of the whole body; raises `NotEvaluable` where it is not plain which ROI that is."""
        return self.dvh(self._body_ref())

    def findings(self) -> tuple[Finding, ...]:
        """Return what is odd about the case and about each DVH computed so far, without repeats."""
        found = (*self.case.findings, *self._findings, *self.dose_findings())
        met = (*found, *(f for dvh in self._dvhs.values() for f in dvh.findings))
        return tuple(dict.fromkeys(met))

    @cached_property
    def _top_gy(self) -> float:
        """The greatest dose of the grid."""
        return 0.0 if self.case.dose is None else float(self.case.dose.values_gy.max(initial=0.0))

    def curve(self, region: Region) -> Curve:
        """Return the cumulative DVH of a region for tables and plots."""
        top_gy = self._top_gy if self.case.dose is not None else None
        return curve_record(str(region), self.structure(region), self.dvh(region), top_gy=top_gy)


@contextmanager
def side_by_side(count: int) -> Iterator[None]:
    """Compute so many DVHs side by side in what is done within; 0 for as many as `_threads` finds by itself."""
    token = _asked_threads.set(count)
    try:
        yield
    finally:
        _asked_threads.reset(token)


def _threads() -> int:
    """Return how many DVHs to compute side by side; a worker among others has one thread for all it does."""
    if _asked_threads.get():
        return _asked_threads.get()
    told = os.environ.get("NUMBA_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else os.cpu_count() or 1


def _engine_options(engine: str | None) -> EngineOptions:
    from dvhkit.engine.options import EngineOptions, profile

    return EngineOptions() if engine is None else profile(engine)


def _roi_names(region: Region) -> list[str]:
    """Return the names of the ROIs that a region is made of."""
    return [leaf.name for leaf in leaves_of(region if isinstance(region, RoiRef) else region.tree)]


def _no_geometry(roi: Region, metric: Metric, error: GeometryError) -> MetricResult:
    return _without_value(roi, metric, Reason.NO_VOLUME, str(error))


def _without_value(roi: Region, metric: Metric, code: Reason, reason: str) -> MetricResult:
    return MetricResult(
        roi=str(roi),
        metric=metric.canonical,
        unit=metric.unit.value,
        value=None,
        reason_code=code.value,
        reason=reason,
    )
