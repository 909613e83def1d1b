"""numba ready in half the time where every kernel lies in its cache.

Before numba looks into its cache it loads all that it could compile: half of its start, for code that is only called.
Here a kernel is taken out of the cache first, and the rest is loaded when something must be compiled. And it tries for
libraries that no kernel of ours needs, which cost as much again where they are installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

# A BLAS that no kernel of ours calls, and marks for coverage of compiled lines.
_NOT_NEEDED = ("scipy", "coverage")
_CONFIG = ".numba_config.yaml"
_BLAS = "scipy.linalg.cython_blas"
# What `load_overload` below is written for; a cache that is another is left as it is.
_KNOWN = ("load_overload", "_load_overload", "_guard_against_spurious_io_errors")


def start_numba() -> None:
    """Load numba so that kernels are taken out of its cache before anything is loaded to compile with.

    Kernels of this package alone: others may need what was left out. A second call does nothing.
    """
    with _hidden(*_NOT_NEEDED, *([] if Path(_CONFIG).exists() else ["yaml"])):
        from numba.core import caching
        from numba.core.runtime.nrt import rtsys

    cache = getattr(caching, "FunctionCache", None)
    if cache is None or not all(callable(getattr(cache, name, None)) for name in _KNOWN):
        return
    if getattr(cache.load_overload, "is_quick", False):
        return
    whole = cache.load_overload

    def load_overload(self: Any, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 -- numba's own types
        if _is_ours(self) and "numba.np.arraymath" not in sys.modules:
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                found = self._load_overload(sig, target_context)
                if found is not None:
                    return found
            with _hidden(_BLAS):
                import_module("numba.np.arraymath")
        return whole(self, sig, target_context)

    load_overload.is_quick = True  # type: ignore[attr-defined]
    cache.load_overload = load_overload


def _is_ours(cache: Any) -> bool:  # noqa: ANN401
    return str(getattr(cache._py_func, "__module__", "")).startswith("dvhkit.")


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Keep modules that are not loaded yet from being found."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # what `import` takes for "is not there"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
