"""What of a solid fills which cell, and which dose it has there."""
