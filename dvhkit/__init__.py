"""DICOM-RT dose-volume analysis and protocol audit."""
