"""Measurements of speed, memory and load."""
