"""Figures for papers and slides, drawn by matplotlib (extra ``plot``) out of records and scenes."""
