"""Adapters for data of the user's own: a labelled folder, CSV files, Parquet files. None of them knows a data set."""
