"""Contouring rules: which volume follows from which, and which was really drawn."""
