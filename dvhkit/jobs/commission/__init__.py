"""Commissioning: known answers on the installed build, and what changed since the last record."""
