"""Batches of a run: plan, prompts, images and labels. Knows no optimizer."""
