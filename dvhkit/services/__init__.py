"""Doors to the network: receive, keep, hand on. Nothing is computed here; jobs are called in other processes."""
