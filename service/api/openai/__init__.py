"""The OpenAI-compatible endpoints and their shapes."""
