"""Measurement of the unsafe requests that get through: as they are, disguised, cut, rendered and attacked."""
