"""Fair queues: the order of requests, their admission, and estimates of their work."""
