"""Protocols as data, and verdicts."""
