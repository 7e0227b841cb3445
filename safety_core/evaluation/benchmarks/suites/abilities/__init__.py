"""Ability suites: readers of their published layouts, questions, answers found in replies, and scores."""
