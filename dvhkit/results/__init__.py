"""Everything that comes out, as frozen plain records."""
