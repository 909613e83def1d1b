"""Many cases, one after the other; one that fails does not stop the rest."""
