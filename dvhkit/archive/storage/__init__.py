"""The store of a run: parts, keys, questions."""
