"""Losses of the safety head and of the language model. Knows no optimizer."""
