"""Views of contour results."""
