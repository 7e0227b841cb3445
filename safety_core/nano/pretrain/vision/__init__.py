"""The nano's vision tower: model, batches, loss and training."""
