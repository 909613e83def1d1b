"""Analytic truth as DICOM sets: users grade this program, or their planning system, with it."""
