"""Bytes to data sets."""
