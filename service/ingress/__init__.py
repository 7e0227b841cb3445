"""The bytes of a request: bodies, remote images and decoding, within the memory budget."""
