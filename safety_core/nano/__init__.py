"""The nano: a synthetic picture world, a small LLaVA trained on it, and the pipeline that builds both."""
