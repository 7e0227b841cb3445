"""Plans the pictures with lettering of a split: texts, kinds, photographs, harmless twins, and prompts with labels."""
