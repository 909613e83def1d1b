"""What comes out of contour work."""
