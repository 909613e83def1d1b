"""RTSTRUCT files that planning systems accept."""
