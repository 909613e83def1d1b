"""Contours compared and measured: agreement of two solids, diameters, observers, checks of one set."""
