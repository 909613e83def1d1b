"""Any record that the types allow, however senseless."""

from __future__ import annotations

from hypothesis import strategies as st

from dvhkit.findings import Finding, Level
from dvhkit.results.audit import AuditRecord, Curve, MarginMap, MetricResult, RuleResult, Verdict

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | numbers


def curves_through(points: list[tuple[float, float]]) -> st.SearchStrategy[Curve]:
    return st.builds(
        Curve,
        roi=texts,
        roi_type=texts | st.sampled_from(["PTV", "EXTERNAL"]),
        color_rgb=st.none() | st.tuples(*[st.integers(0, 255)] * 3),
        volume_cc=numbers,
        dose_gy=st.just(tuple(dose for dose, _ in points)),
        volume_pct=st.just(tuple(volume for _, volume in points)),
    )


def margin_maps_of(size: tuple[int, int]) -> st.SearchStrategy[MarginMap]:
    def many(element: st.SearchStrategy[object], count: int) -> st.SearchStrategy[tuple[object, ...]]:
        return st.tuples(*[element] * count)

    rows, columns = size
    table = many(many(maybe, columns), rows)
    return st.builds(
        MarginMap,
        title=texts,
        limit=texts,
        caption=texts,
        height_mm=many(numbers, rows),
        margin_mm=table,
        lacking_mm=table,
    )


records = st.builds(
    AuditRecord,
    case=texts,
    protocol_id=texts,
    protocol_version=texts,
    protocol_title=texts,
    context=st.none()
    | st.dictionaries(texts, st.booleans() | st.integers(-9, 9) | texts | st.lists(texts, max_size=2)),
    rules=st.lists(
        st.builds(
            RuleResult,
            rule_id=texts,
            title=texts,
            roi=texts,
            quantity=texts,
            goal=texts,
            variation=texts,
            value=maybe,
            unit=texts,
            verdict=st.sampled_from(Verdict),
            low=maybe,
            margin=maybe,
            reason=st.none() | texts,
            priority=st.integers(1, 9),
        ),
        max_size=3,
    ).map(tuple),
    metrics=st.lists(
        st.builds(MetricResult, roi=texts, metric=texts, unit=texts, value=maybe, low=maybe, high=maybe, note=texts),
        max_size=4,
    ).map(tuple),
    findings=st.lists(
        st.builds(Finding, level=st.sampled_from(Level), code=texts, message=texts, where=texts), max_size=2
    ).map(tuple),
    curves=st.lists(st.lists(st.tuples(numbers, numbers), max_size=5).flatmap(curves_through), max_size=2).map(tuple),
    margin_maps=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(margin_maps_of), max_size=2).map(
        tuple
    ),
    error=st.none() | texts,
)
