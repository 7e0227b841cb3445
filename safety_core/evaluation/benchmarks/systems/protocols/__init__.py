"""Endpoints as systems: chat, moderation, and generative guards. They may be asked by several threads."""
