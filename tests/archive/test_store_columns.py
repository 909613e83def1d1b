"""Tables of a store are those that pyarrow itself makes of the rows."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvhkit.archive.storage.parts import parquet_bytes
from dvhkit.archive.storage.tables import arrow_table, schema

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=9)
# A column of each kind that the store has, in the tables that have it.
KINDS = {
    "curves": {"roi": TEXTS, "volume_cc": NUMBERS | st.integers(-9, 9), "dose_gy": st.lists(NUMBERS, max_size=4)},
    "cases": {"case_id": TEXTS, "n_rules": st.integers(-(2**63), 2**63 - 1), "all_met": st.booleans()},
}


@pytest.mark.parametrize("table", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_table_is_what_pyarrow_makes_of_the_rows_whatever_they_hold(table, data):
    columns = {name: st.none() | some for name, some in KINDS[table].items()}
    assert set(columns) <= set(schema(table).names)
    rows = data.draw(st.lists(st.fixed_dictionaries({}, optional=columns), max_size=20))
    made = arrow_table(rows, table)
    made.validate(full=True)
    assert made.equals(pa.Table.from_pylist(rows, schema=schema(table)))


def test_a_table_is_the_same_file_as_of_pyarrows_own_rows():
    rows = [
        {"case_id": "a", "roi": "PTV", "volume_cc": 1.5, "dose_gy": [0.0, 2.0], "volume_pct": [100.0, 0.0]},
        {"case_id": "b", "roi": None, "dose_gy": None, "volume_pct": [], "more": "left out"},
    ]
    own = pa.Table.from_pylist(rows, schema=schema("curves"))
    assert parquet_bytes(arrow_table(rows, "curves")) == parquet_bytes(own)


@pytest.mark.parametrize("wrong", [{"case_id": 1}, {"n_rules": 1.5}, {"all_met": 1}, {"n_pass": "5"}])
def test_what_is_not_of_its_columns_kind_is_refused(wrong):
    with pytest.raises(ValueError, match="JSON"):
        arrow_table([wrong], "cases")


def test_half_a_letter_is_told_and_a_row_longer_than_a_block_is_whole():
    assert arrow_table([{"case_id": "a\udce9"}], "cases")["case_id"].to_pylist() == ["a?"]
    rows = [{"case_id": "b", "document": "x" * (3 << 20)}, {"case_id": "c", "document": "y"}]
    found = arrow_table(rows, "records")
    assert found.select(["case_id", "document"]).to_pylist() == rows


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
