"""What drawn contours stand for: the one answer to what lies between the slices and beyond the last."""

from dvhkit.engine.solid.solid import Solid

__all__ = ["Solid"]
