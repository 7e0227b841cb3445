"""Policies: what each level of risk leads to, and how an operator writes that down."""
