"""Tables: as CSV for a spreadsheet (`csv_text`) and for the terminal (`terminal`)."""

from dvhkit.outputs.csv_text import curves_csv, metrics_csv, summary_csv
from dvhkit.outputs.terminal.audit import (
    audit_summary_table,
    audit_view,
    findings_panel,
    findings_panels,
    metric_table,
    verdict_table,
)

__all__ = [
    "audit_summary_table",
    "audit_view",
    "curves_csv",
    "findings_panel",
    "findings_panels",
    "metric_table",
    "metrics_csv",
    "summary_csv",
    "verdict_table",
]
