"""Commands that draw vertebral and bone CTVs."""
