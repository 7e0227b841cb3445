"""Load generation: servers as processes, requests and a client that costs little."""
