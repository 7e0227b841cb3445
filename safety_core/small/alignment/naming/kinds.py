"""What the classes of the tower are kinds of, by their position. Knows no names of classes."""

_KINDS: tuple[tuple[str, int, int], ...] = (
    ("fish", 0, 6),
    ("bird", 7, 24),
    ("amphibian", 25, 29),
    ("frog", 30, 32),
    ("turtle", 33, 37),
    ("lizard", 38, 48),
    ("reptile", 49, 50),
    ("dinosaur", 51, 51),
    ("snake", 52, 68),
    ("spider", 72, 77),
    ("bird", 80, 100),
    ("crab", 118, 121),
    ("bird", 127, 146),
    ("whale", 147, 148),
    ("dog", 151, 268),
    ("wolf", 269, 271),
    ("fox", 277, 280),
    ("cat", 281, 287),
    ("big cat", 288, 293),
    ("bear", 294, 297),
    ("beetle", 300, 307),
    ("insect", 308, 320),
    ("butterfly", 321, 326),
    ("rabbit", 330, 332),
    ("ape", 365, 369),
    ("monkey", 370, 382),
    ("lemur", 383, 384),
    ("elephant", 385, 386),
    ("panda", 387, 388),
    ("fish", 389, 397),
    ("vegetable", 936, 946),
    ("fruit", 948, 957),
    ("mushroom", 991, 997),
)
"""Kind, and the first and last position of its classes among the 1,000, which WordNet's ids put in order of kinship."""

CLASSES = 1000
"""Number of classes of the tower; without the names of all, none has a kind."""


def find_kind(position: int) -> str:
    """Find what the class at a position is a kind of; empty if nothing is listed."""
    return next((kind for kind, first, last in _KINDS if first <= position <= last), "")
