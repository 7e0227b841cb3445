"""Reports of runs on benchmarks: one HTML file without scripts and requests, Markdown, JSON, and comparisons."""
