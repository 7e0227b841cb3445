"""What stands in documents: about a made-up person, or with nothing filled in."""
