"""Disguises of a text and how each kind is undone: markup, encodings, look-alikes, leetspeak, separators, ciphers."""
