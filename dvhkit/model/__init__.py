"""The nouns: what a plan is made of, in patient coordinates (DICOM LPS, mm), Gy and cc. Frozen, numpy only."""
