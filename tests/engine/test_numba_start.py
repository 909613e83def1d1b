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


def test_what_comes_out_of_the_cache_loads_no_part_of_numba_and_goes_back_into_it_as_numba_knows_it() -> None:
    code = _CODE.partition("from numba import njit")[0] + (
        "print('numba.np.arrayobj' in sys.modules)\n"
        "import pickle, numba.core.environment as e\n"
        "env = e._rebuild_env('numba.np.nowhere_yet', [1.5], 'some-name')\n"
        "kept = pickle.dumps(env)\n"
        "print(b'dvhkit' in kept, list(pickle.loads(kept).consts), pickle.loads(kept) is env)\n"
    )
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    mark_repeats(points, np.array([0, 2, 1, 3]), np.array([0, 4]), 1e-6, np.zeros(1, dtype=bool))  # into the cache
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert made.stdout.splitlines()[1:] == ["False", "False [1.5] True"]
