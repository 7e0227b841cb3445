"""Commands of the small checkpoint."""
