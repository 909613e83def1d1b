"""What was drawn: contours in their planes, runs of planes, keyholes opened, crossings mended. Knows no options."""
