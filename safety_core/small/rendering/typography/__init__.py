"""Type: faces, drawn signs, and texts set in them."""
