"""Commands that hold drawn contours under scrutiny."""
