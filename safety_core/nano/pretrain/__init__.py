"""Trains the nano's backbone from random weights: tokenizer, vision tower and language model."""
