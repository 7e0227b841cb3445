"""The server process and its HTTP/1.1 connections: parsing with limits, timeouts, and a budget of connections."""
