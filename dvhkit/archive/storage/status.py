"""How far a run is, from its journal: done, failed, left, how fast, how long yet."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dvhkit.archive.running.worker import FINAL
from dvhkit.archive.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How far a run is.

    Attributes
    ----------
    n_cases
        Cases of the work list, of all shards that began.
    by_status
        How many cases ended how; `left` are not done, or ended in a way that may be otherwise the next time.
    per_hour, hours_left
        Since the last start; None where nothing was done yet.
    is_ended
        Whether the last start came to its end.
    """

    n_cases: int
    by_status: dict[str, int]
    left: int
    per_hour: float | None
    hours_left: float | None
    is_ended: bool

    def lines(self) -> list[str]:
        """Return the status in words."""
        done = sum(count for status, count in self.by_status.items() if status in FINAL)
        lines = [f"{done} of {self.n_cases} cases are done, {self.left} are left."]
        for status, count in sorted(self.by_status.items()):
            if status != "audited":
                word = "could not be judged" if status == "error" else f"failed ({status}) and will be tried again"
                lines.append(f"  {count} {word}")
        if self.per_hour is not None and not self.is_ended:
            left = "" if self.hours_left is None else f"; about {self.hours_left * 60:.0f} minutes left at that rate"
            lines.append(f"{self.per_hour:,.0f} cases an hour{left}.")
        lines.append("The run has ended." if self.is_ended else "The run goes on, or was stopped.")
        return lines


def status_of(run: Path) -> RunStatus:
    """Return the status of a run; raises `InputError` if there is no store."""
    store = Store(run)
    store.require()
    events = store.events()
    # The last start of each shard.
    starts = {str(e.get("shard", "")): e for e in events if e["event"] == "start"}
    n_cases = sum(int(start["cases"]) for start in starts.values())
    rows = store.cases()
    by_status = Counter(str(row["status"]) for row in rows.values())
    done = sum(by_status[status] for status in FINAL)
    since = min((float(s["time"]) for s in starts.values()), default=time.time())
    finished = [e for e in events if e["event"] == "done" and e["time"] >= since]
    last = max((float(e["time"]) for e in finished), default=since)
    per_hour = len(finished) / (last - since) * 3600 if finished and last > since else None
    left = max(n_cases - done, 0)
    ended = {str(e.get("shard", "")) for e in events if e["event"] == "end" and e["time"] >= since}
    return RunStatus(
        n_cases=n_cases,
        by_status=dict(by_status),
        left=left,
        per_hour=per_hour,
        hours_left=left / per_hour if per_hour else None,
        is_ended=not left and (ended >= set(starts) or not starts),
    )
