"""Which structure a rule means."""
