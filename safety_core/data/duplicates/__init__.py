"""Near-duplicate texts and pictures, found in bounded memory. Knows no records and no labels."""
