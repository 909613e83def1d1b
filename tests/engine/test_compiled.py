"""What is compiled without counting who holds an array leaves the counts as they were, and makes no array."""

from __future__ import annotations

import ast
import sys
import weakref
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaError

import dvhkit.engine.kernels.compiled as compiled
from dvhkit.engine.kernels.compiled import helper, inlined, maker


class Pair(NamedTuple):
    one: np.ndarray
    two: np.ndarray


@inlined
def row_of(table, row):
    return table[row, 0]


@helper
def total_of(pair, out):
    for row in range(pair.two.size):
        first = pair.one[row]
        out[row] = first[1] + pair.two[row] + row_of(pair.one, row)
    return out[0]


@helper
def made(count):
    return np.zeros(count).sum()


@maker
def halved(values):
    half = values[: values.size // 2].copy()
    return half.sum()


def _kernel(inner, *, counted: bool):
    """Return a kernel that calls a helper, which has no way in of its own; it is not kept on disk."""

    def call(*given):
        return inner(*given)

    return njit(nogil=True, _nrt=counted)(call)


def test_counts_of_arrays_are_as_before_and_arrays_are_freed():
    kernel = _kernel(total_of, counted=False)
    one, two, out = np.arange(6.0).reshape(3, 2), np.ones(3), np.zeros(3)
    before = [sys.getrefcount(array) for array in (one, two, out)]
    for _ in range(50):
        kernel(Pair(one, two), out)
    assert [sys.getrefcount(array) for array in (one, two, out)] == before
    np.testing.assert_array_equal(out, one[:, 1] + two + one[:, 0])
    ends = weakref.ref(one)
    del one
    assert ends() is None


def test_what_makes_an_array_is_refused_where_none_is_counted_and_runs_where_they_are():
    with pytest.raises(NumbaError, match=r"array|NRT"):
        _kernel(made, counted=False)(4)
    assert _kernel(halved, counted=True)(np.arange(6.0)) == 3.0


def test_how_a_kernel_is_compiled_is_said_in_one_place():
    kernels = Path(compiled.__file__).parent
    others = [path for path in kernels.rglob("*.py") if path != Path(compiled.__file__)]
    ways = {"kernel", "making_kernel", "helper", "inlined", "maker", "spliced"}
    for path in others:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not any(isinstance(n, ast.ImportFrom) and n.module == "numba" for n in ast.walk(tree)), path
        for function in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
            assert [getattr(d, "id", "") for d in function.decorator_list][:1] in [[way] for way in ways], function.name


# What numba compiles to plain arithmetic. A sort, a copy or a sum of arrays has helpers inside that return arrays: they
# are compiled like their caller, and kept, so that the same line passes or fails by what was compiled before it.
_PLAIN = {"abs", "atan2", "ceil", "float", "floor", "int", "max", "min", "range", "sqrt"}
_PLAIN_NUMPY = {"np.argmin", "np.float64", "np.floor", "np.uintp"}


def test_what_counts_no_array_calls_kernels_and_arithmetic_alone():
    called = set()
    for path in Path(compiled.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)} | _imported_of_ours(tree)
        for function in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
            if {getattr(d, "id", "") for d in function.decorator_list} & {"kernel", "helper", "inlined"}:
                names = {ast.unparse(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
                called |= {(path.name, function.name, name) for name in names - known}
    assert len(called) > 100
    assert not [one for one in called if one[2] not in _PLAIN | _PLAIN_NUMPY]


def _imported_of_ours(tree: ast.Module) -> set[str]:
    froms = (n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom))
    return {a.asname or a.name for n in froms if (n.module or "").startswith("dvhkit") for a in n.names}
