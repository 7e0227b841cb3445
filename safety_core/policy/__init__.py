"""Policies: the consequence of each level of risk, and the file format in which operators define policies."""
