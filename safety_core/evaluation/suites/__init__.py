"""Evaluation suites: their files, their samples, and what they expect."""
