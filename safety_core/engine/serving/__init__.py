"""Serves many requests with one model: queues, batches, and the thread that owns the model."""
