"""Replies of the bare and of the guarded model to harmful requests, a rule judge, and labels given by hand."""
