"""Metrics, confidence intervals and the bars that they must clear."""
