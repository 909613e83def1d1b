"""The margin that was really drawn."""
