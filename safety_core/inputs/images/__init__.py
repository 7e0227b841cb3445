"""Pictures as untrusted bytes: file structure, decoding within a budget, base64."""
