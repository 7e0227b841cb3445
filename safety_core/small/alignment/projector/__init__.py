"""Trains the projector between the vision tower and the language model, both frozen."""
