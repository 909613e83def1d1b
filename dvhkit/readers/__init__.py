"""DICOM files to the model: nothing is guessed silently."""
