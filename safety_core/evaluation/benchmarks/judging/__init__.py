"""Judges of replies: rules, and a language model with rubrics; their cache, their cost and their agreement."""
