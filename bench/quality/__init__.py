"""Measurements of the heatmap and of the output rail."""
