"""Commands over runs and archives."""
