"""Phantoms as DICOM objects."""
