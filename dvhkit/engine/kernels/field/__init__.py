"""What fills which cell, weighed by dose."""
