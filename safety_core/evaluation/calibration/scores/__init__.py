"""Scores of labelled samples: groups of near-duplicates, tables, files, and the fit of their recalibration."""
