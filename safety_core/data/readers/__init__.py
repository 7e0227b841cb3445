"""Readers of data set files: records of JSON, JSONL, CSV and Parquet files with their line."""
