"""Text as untrusted input: normalisation, sentences, and undoing of disguises."""
