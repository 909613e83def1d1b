"""One vertebra's shape: axes, cuts, compartments."""
