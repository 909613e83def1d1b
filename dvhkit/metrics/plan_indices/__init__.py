"""Conformity, homogeneity, gradient."""
