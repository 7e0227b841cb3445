"""Untrusted input: conversations, texts and images, checked and normalised before a model reads them."""
