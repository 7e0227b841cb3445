"""What texts can say: their variants, disguises undone, and the limits of that work."""
