"""Commands that receive, send and bring in."""
