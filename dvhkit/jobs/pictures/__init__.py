"""What figures and viewers draw."""
