"""Texts as untrusted input: normalisation, sentences, disguises and their folding to plain words."""
