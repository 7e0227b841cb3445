"""Figures of a system from its scores, and what two systems are compared by."""
