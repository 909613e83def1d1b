"""The composition root: a case, a protocol and options become numbers, verdicts and one audit record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from dvhkit.errors import GeometryError
from dvhkit.findings import Finding, Level, require_code
from dvhkit.jobs.audit_options import AuditOptions
from dvhkit.jobs.identity import plan_identity
from dvhkit.jobs.numbers import CaseNumbers, Uncovered
from dvhkit.jobs.prescription import prescription_findings
from dvhkit.jobs.second_check.check_dvh import check_in_audit, text_findings
from dvhkit.metrics.expression import Metric, parse_metric
from dvhkit.model.plan import Prescription
from dvhkit.protocols.evaluate import StructureFact, evaluate_protocol
from dvhkit.protocols.files.context import PRESCRIPTION, unknown_keys
from dvhkit.protocols.files.load import Protocol, load_protocol
from dvhkit.protocols.naming.aliases import unused_aliases
from dvhkit.protocols.naming.regions import Region
from dvhkit.readers.files.digest import file_sha256
from dvhkit.results.audit import Acceptance, AuditRecord, Curve, InputFile, MetricResult, Provenance
from dvhkit.targets.regions.expression import RoiRef

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.model.dvh import Dvh
    from dvhkit.model.tps_dvh import TpsExport

# What a report shows of each structure beside the rules.
_REPORT_METRICS = ("Volume[cc]", "Min[Gy]", "D95%[Gy]", "Mean[Gy]", "D2%[Gy]", "Max[Gy]")
# Who vouches for a finding where nothing else is said.
BY_CALLER = "the user"
_LIBRARIES = ("numpy", "numba", "pydicom", "shapely")


def compute_dvh(case: Case, roi: str | int, *, engine: str | None = None) -> Dvh:
    """Compute the dose-volume histogram of one structure.

    Parameters
    ----------
    case
        As `dvhkit.read_case` returns it. Without dose the DVH knows the volume alone.
    roi
        Name, ROI number, ``#number``, or an expression such as ``Liver - GTV``.
    engine
        Engine profile; None is the default one.

    Raises
    ------
    UnknownStructureError
        If there is no such structure; says which there are.
    GeometryError
        If its contours are not planar or not parallel.
    """
    numbers = CaseNumbers(case, engine=engine)
    return numbers.dvh(numbers.region(roi))


def evaluate_metric(
    case: Case, roi: str | int, metric: str | Metric, *, engine: str | None = None, uncovered: Uncovered = "refuse"
) -> MetricResult:
    """Measure one metric, such as ``D95%[Gy]``, on one structure.

    Returns
    -------
    MetricResult
        With `value` in `unit`, or None with `reason_code` and `reason` where there is no value.

    Raises
    ------
    MetricSyntaxError
        If the expression is not one of the grammar.
    UnknownStructureError
        If there is no such structure.
    """
    parsed = parse_metric(metric) if isinstance(metric, str) else metric
    numbers = CaseNumbers(case, engine=engine, uncovered=uncovered)
    return numbers.metric(numbers.region(roi), parsed)


class Asked(TypedDict, total=False):
    """How a case is held against a protocol; see `AuditOptions`."""

    context: Mapping[str, object]
    engine: str | None
    uncovered: Uncovered
    eqd2_alpha_beta_gy: float | None
    accept_effective: bool
    accept: Sequence[Acceptance | str]
    identify: bool
    tps: Sequence[TpsExport]


def audit_case(case: Case, protocol: Protocol | str | Path, **asked: Unpack[Asked]) -> AuditRecord:
    """Hold a case against a protocol.

    Parameters
    ----------
    protocol
        As `dvhkit.load_protocol` returns it, or the ID of a shipped one, or a YAML file.
    asked
        ``context``, ``engine``, ``uncovered``, ``eqd2_alpha_beta_gy``, ``accept_effective``, ``accept``, ``identify``,
        ``tps``, as of `AuditOptions`.

    Returns
    -------
    AuditRecord
        Verdicts, metrics of every structure, curves, findings and provenance; `to_frame()` gives a pandas table.

    Raises
    ------
    ProtocolError
        If the protocol cannot be used.
    InputError
        If `accept` names a code that no finding has.
    """
    loaded = protocol if isinstance(protocol, Protocol) else load_protocol(protocol)
    return record_of(case, AuditOptions(protocol=loaded, **asked))


def record_of(case: Case, options: AuditOptions) -> AuditRecord:
    """Return what a case comes to under a protocol: `audit_case` with everything said."""
    loaded, context = options.protocol, dict(options.context or {})
    case = _with_context_prescription(case, context.get(PRESCRIPTION))
    case = replace(case, findings=(*case.findings, *prescription_findings(case)))
    accepted = _acceptances(options.accept, accept_effective=options.accept_effective)
    codes = {a.code for a in accepted}
    numbers = CaseNumbers(case, engine=options.engine, uncovered=options.uncovered, accepted=codes)
    numbers.add_findings(_name_findings(case, loaded))
    drawn = [RoiRef(s.number, s.name) for s in case.structures if not s.is_empty]
    numbers.prepare(drawn)  # side by side; rules and what is plausible draw on them
    rules = evaluate_protocol(loaded, numbers, context, eqd2_alpha_beta_gy=options.eqd2_alpha_beta_gy)
    regions = [*drawn, *numbers.made()]
    metrics = [numbers.metric(region, parse_metric(text)) for region in regions for text in _REPORT_METRICS]
    checked = check_in_audit(numbers, [curve for export in options.tps for curve in export.curves])
    return AuditRecord(
        case=case.label,
        protocol_id=loaded.id,
        protocol_version=loaded.version,
        protocol_title=loaded.title,
        prescription=describe_prescription(case),
        context={k: v for k, v in context.items() if k != PRESCRIPTION},
        rules=rules,
        metrics=tuple(metrics),
        findings=(
            *numbers.findings(),
            *unused_aliases(loaded, case.structures.names),
            *_context_findings(loaded, context),
            *text_findings(checked),
        ),
        curves=tuple(_curves(numbers, regions)),
        margin_maps=numbers.margin_maps(),
        provenance=_provenance(case, loaded, numbers.options.profile, options.tps),
        identity=plan_identity(case, identify=options.identify),
        accepted=accepted,
        second_check=checked,
    )


def _acceptances(accept: Sequence[Acceptance | str], *, accept_effective: bool) -> tuple[Acceptance, ...]:
    """Return what is vouched for, each code once, the first word counting."""
    given = [Acceptance(code=a, by=BY_CALLER) if isinstance(a, str) else a for a in accept]
    given += [Acceptance(code="dose-effective", by=BY_CALLER)] if accept_effective else []
    return tuple({require_code(a.code): a for a in reversed(given)}.values())[::-1]


def _with_context_prescription(case: Case, given: object) -> Case:
    """Return the case with the prescription of the context file, unless the user gave one by hand already."""
    by_hand = any(p.origin == Prescription.BY_USER for p in case.prescriptions)
    if not isinstance(given, Mapping) or by_hand:
        return case
    case = case.with_prescription(float(given["dose_gy"]), origin="context file")
    return case if given.get("fractions") is None else replace(case, fractions=int(given["fractions"]))


def _context_findings(protocol: Protocol, context: Mapping[str, object]) -> list[Finding]:
    return [
        Finding(level=Level.WARNING, code="unused-context", message=message)
        for message in unknown_keys(protocol, context)
    ]


def _name_findings(case: Case, protocol: Protocol) -> tuple[Finding, ...]:
    """Return what the geometry says against the structures' names: sides swapped, volumes that no such organ has."""
    from dvhkit.protocols.naming.placed import place_structures
    from dvhkit.protocols.naming.recognise import name_findings, recognise

    facts = [
        StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type)
        for s in case.structures
        if not s.is_empty
    ]
    return name_findings(recognise(facts, dict(protocol.aliases)), place_structures(case.structures))


def _curves(numbers: CaseNumbers, regions: Sequence[Region]) -> list[Curve]:
    if numbers.case.dose is None:
        return []
    curves = []
    for region in regions:
        try:
            curves.append(numbers.curve(region))
        except GeometryError:
            continue  # its metrics carry the reason
    return curves


def describe_prescription(case: Case) -> str:
    """Return the prescriptions in words, each with where it was found; of a sum of courses, what was added."""
    if case.summed is not None:
        of_user = "; ".join(f"{p.dose_gy:g} Gy ({p.origin})" for p in case.prescriptions)
        return "; ".join(part for part in (of_user, case.summed.description) if part)
    if not case.prescriptions:
        return "none stated"
    fractions = f" in {case.fractions} fractions" if case.fractions else ""
    names = {s.number: s.name for s in case.structures}
    parts = []
    for p in case.prescriptions:
        target = f" to {names[p.roi_number]}" if p.roi_number in names else ""
        parts.append(f"{p.dose_gy:g} Gy{fractions}{target} ({p.origin})")
    return "; ".join(dict.fromkeys(parts))


def _provenance(case: Case, protocol: Protocol, engine: str, tps: Sequence[TpsExport]) -> Provenance:
    """Return what the record was made from. The RT objects are fingerprinted; images only lend their geometry."""
    rt_objects = [s for s in case.sources if s.role.startswith("RT")]
    return Provenance(
        dvhkit_version=_version("dvhkit"),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=engine,
        protocol_sha256=protocol.sha256,
        libraries={name: _version(name) for name in _LIBRARIES},
        inputs=(
            *(InputFile(role=s.role, path=str(s.path), sha256=file_sha256(s.path)) for s in rt_objects),
            *(InputFile(role=f"DVH export ({e.dialect})", path=e.name, sha256=e.sha256) for e in tps),
        ),
    )


@lru_cache
def _version(package: str) -> str:
    return version(package)
