"""Checkpoints on disk: reads, verifies and writes backbones, safety modules and adapters."""
