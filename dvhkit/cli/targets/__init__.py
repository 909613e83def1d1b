"""Commands that make and check targets."""
