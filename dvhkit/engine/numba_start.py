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
        from numba.core import caching, environment
        from numba.core.runtime.nrt import rtsys

    _name_no_modules(environment)
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


def _name_no_modules(environment: Any) -> None:  # noqa: ANN401 -- numba.core.environment
    """Let kernels come out of the cache without the modules of numba that their helpers were compiled from.

    Each helper's environment names its module, for code that looks up globals while it runs; code compiled without
    Python, as ours is, does not. Loading these modules takes as long as all kernels.
    """
    whole = getattr(environment, "_rebuild_env", None)
    if not callable(whole) or getattr(whole, "is_quick", False) or not hasattr(environment.Environment, "_memo"):
        return

    def _rebuild_env(modname: str, consts: Any, env_name: str) -> Any:  # noqa: ANN401
        known = environment.Environment._memo
        if env_name in known or modname in sys.modules or not modname.startswith("numba."):
            return whole(modname, consts, env_name)
        env = environment.Environment({"__name__": modname})
        env.consts[:] = consts
        env.env_name = env_name
        known[env_name] = env
        return env

    # What is written into the cache names the function by this.
    _rebuild_env.__module__, _rebuild_env.__qualname__ = whole.__module__, whole.__qualname__
    _rebuild_env.is_quick = True  # type: ignore[attr-defined]
    environment._rebuild_env = _rebuild_env


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
