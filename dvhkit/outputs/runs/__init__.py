"""Views of many plans."""
