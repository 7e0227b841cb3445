"""What happens before the first request: the guard is loaded, and the parts of the server are created."""
