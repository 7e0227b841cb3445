"""Checkpoints on disk: reading, verifying and writing backbones, modules and adapters."""
