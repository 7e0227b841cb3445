"""The bytes of a request: bodies, remote pictures and decoding, within the memory budget."""
