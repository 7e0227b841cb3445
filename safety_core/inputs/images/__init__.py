"""Images as untrusted bytes: parsers of each file format, inspection, decoding and base64."""
