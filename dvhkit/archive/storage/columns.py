"""Arrow columns out of plain values, by their buffers: `pyarrow.array` would import pandas for half a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = {"double": np.float64, "int64": np.int64}  # by the names that Arrow prints
# Offsets of texts and lists are 32 bits wide.
_MOST = 2**31 - 1


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values, None where there is none, as an Arrow array.

    Parameters
    ----------
    kind
        A type that the store has: numbers, whole numbers, texts, truths, lists of numbers.

    Raises
    ------
    ValueError
        If a value is none of the kind, or texts are longer together than an Arrow array holds.
    """
    import pyarrow as pa

    if kind == pa.string():
        texts = [b"" if value is None else _text(value) for value in values]
        buffers, children = [_offsets([len(t) for t in texts]), pa.py_buffer(b"".join(texts))], None
    elif kind == pa.list_(pa.float64()):
        lists = [() if value is None else value for value in values]
        inner = column([number for one in lists for number in one], pa.float64())
        buffers, children = [_offsets([len(one) for one in lists])], [inner]
    elif kind == pa.bool_():
        buffers, children = [_bits([value is True for value in values])], None
    else:
        numbers = np.array([0 if value is None else value for value in values], dtype=_KINDS[str(kind)])
        buffers, children = [pa.py_buffer(numbers)], None
    there = [value is not None for value in values]
    valid = None if all(there) else _bits(there)
    return pa.Array.from_buffers(kind, len(values), [valid, *buffers], children=children)


def _text(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")
    return value.encode("utf-8", "replace")  # half a letter, as of a file name that is no text


def _bits(truths: Sequence[bool]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(np.array(truths, dtype=bool), bitorder="little"))


def _offsets(lengths: Sequence[int]) -> pa.Buffer:
    import pyarrow as pa

    ends = np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))])
    if ends[-1] > _MOST:
        raise ValueError("texts of two gigabytes in one column")
    return pa.py_buffer(ends.astype(np.int32))
