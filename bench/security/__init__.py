"""Measurements of attacks: on the server, on the judgement and by timing."""
