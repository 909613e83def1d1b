"""What lies in a folder."""
