"""Views of commissioning records."""
