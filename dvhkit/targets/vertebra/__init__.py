"""Vertebral CTVs: rules, profiles, checks."""
