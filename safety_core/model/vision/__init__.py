"""The vision tower, its preprocessing, and the assembly of its features with text."""
