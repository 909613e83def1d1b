"""How targets are made: plain frozen records."""
