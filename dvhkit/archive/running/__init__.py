"""Processes that work on cases."""
