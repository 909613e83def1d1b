"""Voxel mathematics: which part of which cell a structure fills, and the dose there."""
