"""Masks as structures."""
