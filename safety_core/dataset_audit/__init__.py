"""Audits of data sets: every picture, text or pair of a source is judged by a guard, and the risk is reported."""
