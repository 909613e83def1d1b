"""Numbers with a unit and a reason where there is none."""
