"""Fits what a checkpoint recognises as familiar, and measures how well that tells unfamiliar requests apart."""
