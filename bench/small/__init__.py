"""Measurements of safevlm-small, the checkpoint made of pretrained parts."""
