#!/usr/bin/env bash
# DuckDB 2.0.1 holds NaN to be greater than every number, as PostgreSQL does; NumPy, pandas and IEEE 754 say that no
# comparison with it is true. A D95% that could not be computed and stands as NaN in a Parquet file (pyarrow keeps it) or
# a CSV table therefore meets "D95 >= 47.5", and is the highest D95 of the cohort. The same table handed over as a pandas
# frame gives another answer: there NaN has become NULL.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check 'duckdb==2.0.1' 'pyarrow==26.0.0' 'pandas==3.1.1' 'numpy<3'
"$work/env/bin/python" -W ignore - "$work" <<'PY'
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

plans, d95 = ["a", "b", "c"], np.array([50.0, 45.0, np.nan])
frame = pd.DataFrame({"plan": plans, "D95": d95})
pq.write_table(pa.table({"plan": plans, "D95": d95}), sys.argv[1] + "/dvh.parquet")
frame.to_csv(sys.argv[1] + "/dvh.csv", na_rep="nan", index=False)
tables = {"parquet": f"'{sys.argv[1]}/dvh.parquet'", "csv": f"'{sys.argv[1]}/dvh.csv'", "pandas frame": "frame"}
met = {
    name: "".join(row[0] for row in duckdb.sql(f"SELECT plan FROM {table} WHERE D95 >= 47.5 ORDER BY plan").fetchall())
    for name, table in tables.items()
}
highest = duckdb.sql(f"SELECT arg_max(plan, D95) FROM {tables['parquet']}").fetchall()[0][0]
print("DuckDB", duckdb.__version__, "plans with D95 >= 47.5 Gy:", met, "; highest D95:", highest)
assert met == {"parquet": "ac", "csv": "ac", "pandas frame": "a"}
assert highest == "c"
assert list(frame.plan[frame.D95 >= 47.5]) == ["a"]
PY
