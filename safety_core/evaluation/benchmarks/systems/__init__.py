"""Systems under evaluation: checkpoints in this process, endpoints of other servers, and baselines."""
