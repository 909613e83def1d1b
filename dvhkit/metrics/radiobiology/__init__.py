"""Biological doses and models of outcome."""
