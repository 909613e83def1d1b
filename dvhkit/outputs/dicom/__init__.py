"""DICOM objects beside structure sets."""
