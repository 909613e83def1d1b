"""How a run goes about its work, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dvhkit.errors import DvhkitError

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.outputs.report.article import Article


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run goes about its work; none of it changes a result.

    Attributes
    ----------
    jobs
        Worker processes; None for as many as suit the machine, 0 to work in this process, as one case does anyway.
    shard
        ``(i, n)``: do the i-th of n parts, by case ID.
    scheduler
        Address of a Dask scheduler that does the work in place of processes of our own.
    case_reports, pictures
        Whether each case gets a report of its own (None: where there are 2 to 500), and whether that shows slices.
    replace
        Whether results of another protocol may be replaced.
    keep_others
        Cases of the store that lie elsewhere than under the paths stay in it.
    """

    jobs: int | None = None
    case_timeout_s: float | None = None
    shard: tuple[int, int] | None = None
    scheduler: str | None = None
    case_reports: bool | None = None
    pictures: bool = False
    replace: bool = False
    keep_others: bool = False

    @property
    def shard_name(self) -> str:
        """The name of the shard in files; empty for a whole run."""
        return "" if self.shard is None else f"{self.shard[0]}-of-{self.shard[1]}"


@dataclass(slots=True, kw_only=True)
class RunReport:
    """What a run came to.

    Attributes
    ----------
    why
        By case that was computed, the causes: ``new``, words of `dvhkit.archive.storage.keys.CAUSES`, or
        ``tried again: …``.
    computed, failed
        How many cases were computed, and by status those that came to nothing.
    cases
        The row of each case in the table ``cases``.
    is_interrupted
        Whether Ctrl-C or a signal ended it.
    n_stored
        How many cases the store holds: more than `n_cases` where others were kept.
    case
        What was read of the only case, where there is but one and it was computed.
    articles
        Cases that were computed, drawn as a report of all cases shows them, where there are few enough for one.
    """

    n_cases: int = 0
    n_stored: int = 0
    n_kept: int = 0
    n_gone: int = 0
    n_objects_left_out: int = 0
    why: dict[str, tuple[str, ...]] = field(default_factory=dict)
    computed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_interrupted: bool = False
    error: DvhkitError | None = None
    case: Case | None = None
    articles: dict[str, Article] = field(default_factory=dict)
