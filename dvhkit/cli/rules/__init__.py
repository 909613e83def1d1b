"""Commands about protocols and names."""
