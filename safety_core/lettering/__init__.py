"""Lettering in pictures: reads it within bounds, orders it, and builds the texts that the safety head judges."""
