"""Thresholds with a guarantee: what is promised, tested and measured."""
