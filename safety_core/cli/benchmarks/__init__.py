"""Commands on runs of benchmarks: comparison, reports."""
