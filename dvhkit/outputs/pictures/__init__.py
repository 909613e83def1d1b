"""Pixels and lines."""
