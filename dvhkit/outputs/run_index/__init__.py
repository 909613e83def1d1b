"""The index of a run: cases by rules on one page."""
