"""The vision tower, and the join of its features with words."""
