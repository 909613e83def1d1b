"""Protocols in the formats of others. What a format cannot hold is listed, never dropped in silence."""
