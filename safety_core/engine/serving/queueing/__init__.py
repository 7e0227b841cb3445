"""Fair queues: the order of requests, their admission, and estimates of the work that they are."""
