"""Readers of audited sources: items one by one, from any position, in a fixed order and in bounded memory."""
