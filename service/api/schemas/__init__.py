"""Pydantic models of the requests and replies of our own paths, and the field types that all paths share."""
