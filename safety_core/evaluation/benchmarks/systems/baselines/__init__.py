"""Baselines: classifiers of words and a zero-shot judge, loaded by import path where a package above has them."""
