"""Commands that read one plan."""
