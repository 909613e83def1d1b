"""One question put to every plan of an archive: side by side, and a plan that fails costs its own answer alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dvhkit.archive.running.pool import attempt, automatic_jobs, run_isolated
from dvhkit.archive.work_list import WorkList, make_work_list
from dvhkit.jobs.batch import told_below
from dvhkit.readers.linking.case_files import CaseFiles

# A function of a module, since workers import it: what was asked, the files of a plan → the answer.
Work = Callable[[Any, CaseFiles], Any]
# Called with the number of plans that are done, and of all.
PlanProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one plan: its `result`, or the `reason` why there is none."""

    case_id: str
    result: Any = None
    reason: str | None = None


def each_case(
    work: Work,
    asked: Any,  # noqa: ANN401 -- whatever `work` takes
    plans: WorkList,
    *,
    jobs: int | None = None,
    progress: PlanProgress | None = None,
) -> list[Answer]:
    """Return the answer of each plan, in the order of the work list.

    Parameters
    ----------
    jobs
        Worker processes; None for as many as suit the machine, 1 to work in this one.
    """
    cases = plans.cases
    jobs = min(jobs or automatic_jobs(len(cases)), max(len(cases), 1))
    found = {}
    for answer in _here(work, asked, cases) if jobs == 1 else _side_by_side(work, asked, cases, jobs):
        reason = None if answer.reason is None else told_below(answer.reason, plans.root)
        found[answer.case_id] = replace(answer, reason=reason)
        if progress is not None:
            progress(len(found), len(cases))
    return [found[case_id] for case_id in cases]


def plans_under(paths: Path | str | Sequence[Path | str]) -> WorkList:
    """Return the plans under a folder, or under several; raises `InputError` where there is none."""
    several = [paths] if isinstance(paths, str | Path) else paths
    return make_work_list([Path(path) for path in several])


def _here(work: Work, asked: Any, cases: Mapping[str, CaseFiles]) -> Iterator[Answer]:  # noqa: ANN401
    for case_id, files in cases.items():
        result, failure, reason, error = attempt(_Bound(work, asked), files)
        yield _answer(case_id, result, failure, reason, has_words=error is not None)


def _side_by_side(work: Work, asked: Any, cases: Mapping[str, CaseFiles], jobs: int) -> Iterator[Answer]:  # noqa: ANN401
    for outcome in run_isolated(_Bound(work, asked), cases.values(), jobs=jobs):
        yield _answer(
            outcome.task.label, outcome.result, outcome.failure, outcome.reason, has_words=outcome.error is not None
        )


@dataclass(frozen=True, slots=True)
class _Bound:
    work: Work
    asked: Any

    def __call__(self, files: CaseFiles) -> Any:  # noqa: ANN401
        return self.work(self.asked, files)


def _answer(case_id: str, result: Any, failure: str | None, reason: str, *, has_words: bool) -> Answer:  # noqa: ANN401
    if failure is None:
        return Answer(case_id=case_id, result=result)
    return Answer(case_id=case_id, reason=reason if has_words or failure != "fault" else f"a fault of ours: {reason}")
