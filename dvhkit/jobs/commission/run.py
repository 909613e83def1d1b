"""`commission`: known answers on the installed build, what failed ones have in common, what changed since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dvhkit.errors import DvhkitError
from dvhkit.jobs.commission import checks, other_numbers
from dvhkit.jobs.commission.compare import changed_numbers
from dvhkit.jobs.commission.diagnosis import diagnose
from dvhkit.jobs.commission.installation import build_sha256, libraries, machine
from dvhkit.jobs.commission.known_answers import (
    GRID_RULES,
    SOLID_RULES,
    STACK_RULES,
    Rule,
    band_test,
    judged,
)
from dvhkit.jobs.commission.measured import Answer, measure
from dvhkit.jobs.commission.site_plans import plan_numbers
from dvhkit.model.arrays import FloatArray
from dvhkit.phantoms.sets.linear_sets import linear_dose, linear_dose_voxel_mm
from dvhkit.results.commission import CommissionNumber, CommissionRecord, CommissionTest

Progress = Callable[[str], None]
_NELMS = "closed forms, after Nelms et al. 2015, doi 10.1118/1.4923175"
_WALKER = "dense sampling, after Walker and Byrne 2025, doi 10.1016/j.meddos.2024.06.002"
# Phantom, engine profile, reading of the truth, rules, source.
_PLAN: tuple[tuple[str, str, str, tuple[Rule, ...], str], ...] = (
    ("linear-si-2mm", "prism", "stack", STACK_RULES, _NELMS),
    ("linear-si-2mm", "reference", "solid", SOLID_RULES, _NELMS),
    ("linear-ap-2mm", "prism", "stack", STACK_RULES, _NELMS),
    ("linear-ap-2mm", "reference", "solid", SOLID_RULES, _NELMS),
    ("linear-oblique-2mm", "reference", "solid", SOLID_RULES, _NELMS),
    ("gaussian-r5mm", "reference", "grid", GRID_RULES, _WALKER),
)
_LINEAR = {"linear-si-2mm": "si", "linear-ap-2mm": "ap", "linear-oblique-2mm": "oblique"}
_NOT_TESTED = (
    "Whether contours, doses and prescriptions that a planning system exports are what it shows: "
    "load a phantom there (dvhkit phantom write), and grade what comes back (dvhkit phantom grade).",
    "Images: CT numbers take no part in any number here.",
    "Models of outcome beyond one NTCP and EQD2, indices of conformity, sums of plans and registrations.",
    "Whether the limits of a protocol are right: see the source and status that each limit bears.",
)


def commission(
    *,
    site: str = "",
    plans: Path | None = None,
    compare: CommissionRecord | None = None,
    compare_name: str = "",
    progress: Progress | None = None,
) -> CommissionRecord:
    """Test the installed build on known answers.

    Parameters
    ----------
    site
        How the record calls the site; free text.
    plans
        A folder with plans of the site's own, whose numbers are kept for comparisons.
    compare, compare_name
        An earlier record, whose numbers are held against today's, and what it is called.
    progress
        Told what is being tested.

    Returns
    -------
    CommissionRecord
        With at least twenty tests. A test that cannot be run has not passed.
    """
    say = progress or (lambda _: None)
    begun = time.monotonic()
    answers: list[Answer] = []
    tests = list(_dvh_tests(answers, say))
    tests += _other_tests(say)
    numbers = [_number(a) for a in answers]
    lacking: list[str] = []
    if plans is not None:
        say("the site's own plans")
        own, lacking = plan_numbers(plans)
        numbers += own
    else:
        lacking = ["Plans of the site's own: none were named."]
    return CommissionRecord(
        site=site,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        dvhkit_version=version("dvhkit"),
        build_sha256=build_sha256(),
        machine=machine(),
        libraries=libraries(),
        tests=tuple(tests),
        diagnosis=() if all(t.passed for t in tests) else diagnose(answers, _gradients()),
        not_tested=(*_NOT_TESTED, *lacking),
        numbers=tuple(numbers),
        seconds=round(time.monotonic() - begun, 1),
        compared_with=compare_name,
        changes=changed_numbers(compare.numbers, numbers) if compare is not None else (),
    )


def _dvh_tests(answers: list[Answer], say: Progress) -> Iterator[CommissionTest]:
    """Yield the tests of DVHs, and keep the answers they rest on."""
    for name in dict.fromkeys(entry[0] for entry in _PLAN):
        say(name)
        of_one = [entry for entry in _PLAN if entry[0] == name]
        try:
            found = measure(name, [(engine, reading) for _, engine, reading, _, _ in of_one])
        except DvhkitError as error:
            yield checks.failed(f"{name}/read", "The phantom, written as DICOM and read back", error)
            continue
        answers += found
        for _, engine, reading, rules, source in of_one:
            held = [a for a in found if a.engine == engine and a.truth.reading == reading]
            prefix = f"{name}/{reading}"
            yield from judged(prefix, source, rules, held)
    yield band_test([a for a in answers if a.engine == "reference"])


def _other_tests(say: Progress) -> list[CommissionTest]:
    groups: tuple[tuple[str, str, Callable[[], list[CommissionTest]]], ...] = (
        ("margin", "Margins", lambda: list(checks.margin_tests())),
        ("biology", "Biology", lambda: list(other_numbers.biology_tests())),
        ("contours", "Agreement of contours", lambda: list(other_numbers.agreement_tests())),
        ("storage", "Forms of storage", lambda: list(checks.position_tests())),
        ("verdict", "Verdicts", lambda: [checks.verdict_test()]),
        ("repeat", "Repeats", lambda: [checks.repeat_test()]),
    )
    found: list[CommissionTest] = []
    for test_id, title, run in groups:
        say(title.lower())
        try:
            found += run()
        except DvhkitError as error:
            found.append(checks.failed(test_id, title, error))
    return found


def _gradients() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return gradient and dose voxel of each linear phantom as vectors."""
    found = {}
    for name, direction in _LINEAR.items():
        dose = linear_dose(direction)
        step = linear_dose_voxel_mm(2.0)
        gradient = np.asarray(dose.direction, dtype=np.float64) * dose.gradient_gy_per_mm
        found[name] = (gradient, np.array([step, step, step]))
    return found


def _number(answer: Answer) -> CommissionNumber:
    return CommissionNumber(
        of=f"{answer.phantom} ({answer.engine})",
        roi=answer.truth.roi,
        metric=answer.truth.metric,
        value=answer.value,
        unit=answer.truth.unit,
    )
