"""Reads public sets and own texts into records with labels."""
