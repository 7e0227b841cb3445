"""Figures of a run on a benchmark, and of two runs compared, each with its interval."""
