"""The engine's start: what it loads, and whether its kernels are compiled on this machine yet."""

from __future__ import annotations

import os
from pathlib import Path

from dvhkit import engine
from dvhkit.engine.numba_start import start_numba


def is_first_run() -> bool:
    """Whether no kernel has been compiled yet; that happens once and takes a while."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(engine.__file__).parent / "kernels"
    return not folder.is_dir() or next(folder.rglob("*.nbi"), None) is None


def load_engine() -> None:
    """Load numba, and no more of it than kernels in its cache need."""
    start_numba()
