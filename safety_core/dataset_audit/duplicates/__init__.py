"""Near-duplicates of any number of items: signatures, an index on disk, and groups."""
