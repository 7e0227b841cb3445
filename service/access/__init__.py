"""Access control without HTTP: API keys, rate limits, host names, browser origins and client addresses."""
