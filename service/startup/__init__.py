"""Start-up: loads the guard and creates the parts of the server."""
