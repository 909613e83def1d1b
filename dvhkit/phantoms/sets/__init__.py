"""Phantom sets by name."""
