"""What rules and names say: plain frozen records."""
