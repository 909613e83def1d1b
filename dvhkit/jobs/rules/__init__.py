"""Verbs about rules and names: no dose, no voxels."""
