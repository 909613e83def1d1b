"""Kernels out of numba's cache before numba loads what it compiles with."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from dvhkit.engine.kernels.drawn.repeats import mark_repeats

_CODE = """
import sys
import numpy as np
from dvhkit.engine.numba_start import start_numba
start_numba(); start_numba()
from dvhkit.engine.kernels.drawn.repeats import mark_repeats
points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
found = np.zeros(1, dtype=bool)
mark_repeats(points, np.argsort(points[:, 0], kind="stable"), np.array([0, 4]), 1e-6, found)
print(found[0], "numba.np.arraymath" in sys.modules)
from numba import njit
print(njit(lambda values: np.sum(values) + len(str(2)))(np.ones(3)), "scipy" in sys.modules)
"""


def test_a_kernel_in_the_cache_needs_no_compiler_and_what_is_not_is_compiled_all_the_same() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = np.zeros(1, dtype=bool)
    mark_repeats(points, np.argsort(points[:, 0], kind="stable"), np.array([0, 4]), 1e-6, found)  # into the cache
    made = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True, timeout=120)
    cached, compiled = made.stdout.splitlines()
    assert cached == f"{found[0]} False"
    assert compiled.split()[0] == "4.0"
