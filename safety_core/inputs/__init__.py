"""Untrusted input: conversations, texts and pictures, read and normalised before any model sees them."""
