"""What is measured: items of a split, and the pictures that are rendered for them."""
