"""Evaluation of the small checkpoint on real words and photographs: ``safevlm evaluate --suite real``."""
