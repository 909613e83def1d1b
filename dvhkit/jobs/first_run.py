"""The engine's start: what it loads, and whether its kernels are compiled on this machine yet."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from dvhkit import engine

_BLAS = "scipy.linalg.cython_blas"


def is_first_run() -> bool:
    """Whether no kernel has been compiled yet; that happens once and takes a while."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(engine.__file__).parent / "kernels"
    return not folder.is_dir() or next(folder.rglob("*.nbi"), None) is None


def load_engine() -> None:
    """Load numba, without scipy where that is installed: it would be for a BLAS that no kernel of ours calls."""
    if _BLAS in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[_BLAS] = None  # type: ignore[assignment]  # what `import` takes for "is not there"
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_BLAS]
