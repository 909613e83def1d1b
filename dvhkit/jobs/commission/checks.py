"""Known answers beside DVHs: margins, margin checks, positions of patient and dose, verdicts beside their limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dvhkit.errors import DvhkitError
from dvhkit.jobs.commission.measured import through_dicom
from dvhkit.jobs.numbers import CaseNumbers
from dvhkit.model.case import Case
from dvhkit.phantoms.sets.catalogue import CataloguePhantom, make_phantom
from dvhkit.phantoms.sets.phantom_set import OffsetForm, PhantomSet
from dvhkit.protocols.evaluate import evaluate_protocol
from dvhkit.protocols.files.load import load_protocol
from dvhkit.results.audit import Verdict
from dvhkit.results.commission import CommissionTest

# Balls of the margin phantoms: radius of the GTV.
_GTV_MM = 10.0
_GROWN_TOLERANCE_MM = 0.1
_RECOVERED_TOLERANCE_MM = 0.3
_SAME_GY = 0.005
# Far beyond what the engine's error can be, and far below what a limit is off by when it matters.
_BESIDE_LIMIT_GY = 0.1


def margin_tests(margin_mm: int = 5) -> Iterator[CommissionTest]:
    """Yield what was grown, and what was found to be drawn, against balls whose margins are known."""
    from dvhkit.targets.achieved.check import achieved_margin
    from dvhkit.targets.derive.margin import grow

    made = make_phantom(f"margin-{margin_mm}mm")
    case = through_dicom(made.phantom)
    spacing_mm = case.slice_spacing_mm
    for margin in (2.0, 5.0, 10.0):
        grown = grow(case.structures["GTV"], margin, image=case.image).structure
        numbers = CaseNumbers(replace(case, structures=replace(case.structures, structures=(grown,)), dose=None))
        volume_cc = numbers.dvh(numbers.every_roi()[0]).volume_cc
        radius_mm = float(np.cbrt(volume_cc * 1000.0 * 3.0 / (4.0 * np.pi)))
        yield _single(
            f"margin/grown-{margin:g}mm",
            f"A ball grown by {margin:g} mm: its radius, from its volume",
            achieved=abs(radius_mm - _GTV_MM - margin),
            tolerance=_GROWN_TOLERANCE_MM,
            unit="mm",
            basis="a twentieth of the smallest clinical margin, 2 mm",
        )
    for inner, outer in (("GTV", "CTV"), ("CTV", "PTV")):
        check = achieved_margin(case.structures[inner], case.structures[outer], slice_spacing_mm=spacing_mm or None)
        worst = max(abs(row.recovered - margin_mm) for row in check.directions.values())
        yield _single(
            f"margin/recovered-{inner.lower()}-{outer.lower()}",
            f"The margin drawn between {inner} and {outer}, in six directions",
            achieved=worst,
            tolerance=_RECOVERED_TOLERANCE_MM,
            unit="mm",
            basis="the stated accuracy of the margin check (docs/margin-check.md)",
        )


def position_tests() -> Iterator[CommissionTest]:
    """Yield whether the same plan, stored in other ways that DICOM allows, gives the same doses."""
    made = make_phantom("setup-superior")
    base = _means_gy(through_dicom(made.phantom))
    for name, title, phantom in _other_forms(made):
        other = _means_gy(through_dicom(phantom))
        yield _single(
            f"storage/{name}",
            f"The same plan with {title}: mean doses",
            achieved=max(abs(other[roi] - dose) for roi, dose in base.items()),
            tolerance=_SAME_GY,
            unit="Gy",
            basis="half the least step of a printed dose",
        )


def _other_forms(made: CataloguePhantom) -> Iterator[tuple[str, str, PhantomSet]]:
    phantom = made.phantom
    (dose,) = phantom.doses
    assert phantom.image is not None
    for position in ("HFP", "FFS", "FFP"):
        image = replace(phantom.image, patient_position=position)
        yield f"position-{position.lower()}", f"PatientPosition {position}", replace(phantom, image=image)
    absolute = replace(dose, offset_form=OffsetForm.ABSOLUTE)
    yield "absolute-offsets", "absolute frame offsets", replace(phantom, doses=(absolute,))
    descending = replace(dose, frames_descending=True)
    yield "frames-descending", "dose planes from head to feet", replace(phantom, doses=(descending,))
    yield "contour-order", "contours in another order than their structures", replace(phantom, contours_reversed=True)
    coarse = replace(dose, bits=16)
    yield "16-bit", "doses of 16 bit", replace(phantom, doses=(coarse,))


def _means_gy(case: Case) -> dict[str, float]:
    numbers = CaseNumbers(case)
    return {str(region): numbers.dvh(region).mean_gy for region in numbers.every_roi()}


_RULES = """id: commission
version: "1"
title: Limits beside a known dose
rules:
"""
_RULE = """  - id: {id}
    title: {id}
    structure: Target
    metric: "{metric}"
    goal: "{goal}"
    source: commissioning
    status: P
"""


def verdict_test() -> CommissionTest:
    """Return how many verdicts beside a known dose are wrong: limits 0.1 Gy to either side of it."""
    made = make_phantom("setup-superior")
    case = through_dicom(made.phantom)
    wanted: dict[str, Verdict] = {}
    texts = []
    for row in made.rows:
        if row.roi != "Target" or row.metric not in ("D95%[Gy]", "D50%[Gy]", "Mean[Gy]", "D2%[Gy]"):
            continue
        for sign, verdict in (("<=", Verdict.PASS), (">=", Verdict.FAIL)):
            for off in (_BESIDE_LIMIT_GY, -_BESIDE_LIMIT_GY):
                name = f"R{len(wanted)}"
                right = verdict if off > 0 else _opposite(verdict)
                wanted[name] = right
                goal = f"{sign} {row.value + off:.4f} Gy"
                texts.append(_RULE.format(id=name, metric=row.metric, goal=goal))
    with TemporaryDirectory(prefix="dvhkit-commission-") as folder:
        path = Path(folder) / "commission.yaml"
        path.write_text(_RULES + "".join(texts), encoding="utf-8")
        rules = evaluate_protocol(load_protocol(path), CaseNumbers(case), {})
    judged = (Verdict.PASS, Verdict.FAIL, Verdict.INDETERMINATE)
    opposite = sum(rule.verdict is _opposite(wanted[rule.rule_id]) for rule in rules)
    unjudged = len(wanted) - sum(rule.verdict in judged for rule in rules)
    return _single(
        "verdict/beside-limit",
        f"{len(wanted)} limits 0.1 Gy beside a known dose: wrong verdicts, or none",
        achieved=float(opposite + unjudged),
        tolerance=0.0,
        unit="verdicts",
        basis="a verdict is never wrong; it may be indeterminate where the band holds the limit",
    )


def _opposite(verdict: Verdict) -> Verdict:
    return Verdict.FAIL if verdict is Verdict.PASS else Verdict.PASS


def repeat_test() -> CommissionTest:
    """Return whether two computations of the same numbers differ at all."""
    case = through_dicom(make_phantom("pair-nested").phantom)
    first, second = _means_gy(case), _means_gy(case)
    return _single(
        "repeat/bit-equal",
        "The same numbers computed twice",
        achieved=max(abs(first[roi] - second[roi]) for roi in first),
        tolerance=0.0,
        unit="Gy",
        basis="no result depends on threads or on what was computed before",
    )


def failed(test_id: str, title: str, error: DvhkitError) -> CommissionTest:
    """Return a test that could not be run."""
    return CommissionTest(
        id=test_id, title=title, source="our own", tolerance=0.0, achieved=None, unit="", basis="", worst=str(error)
    )


def _single(test_id: str, title: str, *, achieved: float, tolerance: float, unit: str, basis: str) -> CommissionTest:
    return CommissionTest(
        id=test_id,
        title=title,
        source="our own phantoms (docs/phantoms.md)",
        tolerance=tolerance,
        achieved=achieved,
        unit=unit,
        basis=basis,
        passed=achieved <= tolerance,
    )
