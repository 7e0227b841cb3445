"""Commands that create a checkpoint, check it, or fit a part of it to data."""
