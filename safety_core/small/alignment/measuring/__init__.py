"""Measures what a model names in photographs that it was not trained on, with intervals."""
