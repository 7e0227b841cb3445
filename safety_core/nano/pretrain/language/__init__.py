"""The nano's language model and projector: model, rows of questions, losses and training."""
