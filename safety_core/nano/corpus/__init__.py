"""Samples of the drawn world: labelled scenes, questions about them, and the splits of training and evaluation."""
