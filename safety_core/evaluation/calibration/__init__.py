"""Thresholds chosen on measured scores."""
