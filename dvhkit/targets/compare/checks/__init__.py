"""Checks of the contours of one structure set, one file a kind."""
