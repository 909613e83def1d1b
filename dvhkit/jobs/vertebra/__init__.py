"""CTVs of vertebral metastases by rule: planned, checked, drawn, reported, written."""
