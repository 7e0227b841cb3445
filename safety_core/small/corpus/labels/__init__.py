"""Rules that give every row of every set a risk type and a level, or leave it out with a reason."""
