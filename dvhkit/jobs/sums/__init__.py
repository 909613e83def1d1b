"""The dose of several courses together."""
