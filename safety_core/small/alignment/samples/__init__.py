"""Writes samples for the alignment: questions about photographs and collages, with answers. Knows no torch."""
