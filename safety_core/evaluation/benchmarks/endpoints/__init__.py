"""Endpoints of other servers: bounded requests with retries, and the messages of OpenAI's protocol."""
