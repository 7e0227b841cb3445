"""Fingerprints of the records that a checkpoint was trained on, and items of a benchmark that are among them."""
