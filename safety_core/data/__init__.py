"""Training and evaluation data: samples, JSONL records, conversion of public data sets. Knows no torch."""
