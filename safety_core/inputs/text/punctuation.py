"""Punctuation marks at the edges of words."""

OPENING_MARKS = "\"'([{\u00bf\u00a1\u201c\u2018\u201e\u00ab"
"""Marks before a word."""

CLOSING_MARKS = ".,!?;:\"')]}\u2026\u201d\u2019\u00bb"
"""Marks after a word."""
