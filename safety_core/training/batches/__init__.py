"""Batches of a run: plan, prompts, pictures and labels. Knows no optimizer."""
