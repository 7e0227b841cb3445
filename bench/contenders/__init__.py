"""Alternatives to this server, each in its own process; measurements alternate between them and our server."""
