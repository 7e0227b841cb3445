"""Pydantic models of the native endpoints' requests and replies, and field types that all endpoints share."""
