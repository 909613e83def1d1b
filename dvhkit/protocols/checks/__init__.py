"""Rules held against facts."""
