"""Rings in their planes: nesting, coverage of cells, outlines from fields, distances and chords."""
