"""Columns built from their buffers are those that pyarrow itself makes."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.archive.storage.columns import column
from dvhkit.archive.storage.store import _parquet
from dvhkit.archive.storage.tables import arrow_table, schema

NUMBERS = st.floats(allow_nan=False)
KINDS = {
    "texts": (pa.string(), st.text(st.characters(exclude_categories=("Cs",)), max_size=9)),
    "numbers": (pa.float64(), NUMBERS | st.integers(-9, 9)),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "truths": (pa.bool_(), st.booleans()),
    "lists": (pa.list_(pa.float64()), st.lists(NUMBERS, max_size=4)),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_column_is_what_pyarrow_makes_of_the_values_whatever_they_are(kind, data):
    arrow, some = KINDS[kind]
    values = data.draw(st.lists(st.none() | some, max_size=20))
    made = column(values, arrow)
    made.validate(full=True)
    assert made.equals(pa.array(values, arrow))


def test_a_table_is_the_same_file_as_of_pyarrows_own_rows():
    rows = [
        {"case_id": "a", "roi": "PTV", "volume_cc": 1.5, "dose_gy": [0.0, 2.0], "volume_pct": [100.0, 0.0]},
        {"case_id": "b", "roi": None, "dose_gy": None, "volume_pct": [], "more": "left out"},
    ]
    assert _parquet(arrow_table(rows, "curves")) == _parquet(pa.Table.from_pylist(rows, schema=schema("curves")))


def test_what_is_no_text_is_refused_and_half_a_letter_is_not_lost_without_trace():
    with pytest.raises(ValueError, match="is no text"):
        column([1], pa.string())
    assert column(["a\udce9"], pa.string()).to_pylist() == ["a?"]


def test_a_store_is_written_and_read_without_pandas(tmp_path):
    code = (
        "import sys; from dvhkit.archive.storage.store import Store; from pathlib import Path\n"
        "from dvhkit.archive.work_list import ObjectRow\n"
        "s = Store(Path(sys.argv[1])); s.create()\n"
        "s.write_objects([ObjectRow(path='a', role='CT', n_files=1, case_id=None, reason='x')])\n"
        "assert s.read('objects').num_rows == 1; s.fold()\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], check=True)
