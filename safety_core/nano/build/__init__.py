"""The whole build: stages in order, safety training, model card and examples."""
