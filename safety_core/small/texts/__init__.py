"""Texts of our own, one JSON object a line; README.md describes each file."""
