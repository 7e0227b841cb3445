"""The HTTP/1.1 connection: parsing with limits and deadlines, and the server process."""
