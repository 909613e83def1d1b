"""Time things, and put rows into tables."""

from __future__ import annotations

import compileall
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
# Next to the interpreter that runs this: the environment that `make setup` made.
DVHKIT = Path(sys.executable).parent / "dvhkit"


def compile_modules() -> None:
    """Compile the package's modules, as an installed one's are.

    Python compiles them at each start where it may not write beside them (PYTHONDONTWRITEBYTECODE), or they are older.
    """
    compileall.compile_dir(str(ROOT / "dvhkit"), quiet=2)


def best(action: Callable[[], object], runs: int = 3) -> float:
    """Return the least time of several runs, s: what the work takes when nothing else is in the way."""
    times = []
    for _ in range(runs):
        gc.collect()
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def command(*words: object, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; its failure is ours."""
    done = subprocess.run([str(w) for w in words], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers with three significant digits."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(c) for c in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
