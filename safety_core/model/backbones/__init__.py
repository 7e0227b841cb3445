"""Vision towers that transformers lacks, as ordinary model classes of transformers."""
