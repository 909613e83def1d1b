"""Targets made, margins measured: from the words of a command or a script to a record or a file."""
