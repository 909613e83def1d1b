"""A synthetic archive: varied liver plans, linked, with faults planted at known rates and closed-form metrics."""
