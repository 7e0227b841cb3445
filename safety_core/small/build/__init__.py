"""Builds safevlm-small from its parts, the public sets and the own texts."""
