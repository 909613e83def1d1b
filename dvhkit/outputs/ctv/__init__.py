"""Vertebral CTVs as pages and pictures."""
