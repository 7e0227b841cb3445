"""Undoes each kind of disguise of a text: markup, encodings, look-alikes, leetspeak, separators and ciphers."""
