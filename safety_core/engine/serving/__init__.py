"""Many requests on one model: queues, batches, turns and the thread that owns the model."""
