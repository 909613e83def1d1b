"""Contours compared, checked, graded, measured."""
