"""Teaches the small checkpoint's language model what photographs show: names, samples, projector, measurements."""
