"""Measurements of the running system and of the shipped checkpoint; each writes a dated JSON record."""
