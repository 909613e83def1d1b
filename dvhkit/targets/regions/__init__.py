"""Structures made out of others: one grammar, one evaluator."""
