"""Names, counts and descriptions of what a scene shows. Knows nothing of questions or risk."""

from collections import Counter

from safety_core.nano.world.scene import SHAPES, Scene
from safety_core.nano.world.things import THINGS_BY_NAME

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def get_plural(name: str) -> str:
    """Return the plural of a thing or shape."""
    return f"{name}s" if name in SHAPES else THINGS_BY_NAME[name].plural


def add_article(name: str) -> str:
    """Add the indefinite article: ``a dog``, ``an apple``."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def count_things(name: str, counts: Counter[str]) -> str:
    """Combine number and name: ``one dog``, ``two dogs``."""
    return f"one {name}" if counts[name] == 1 else f"{NUMBERS[counts[name]]} {get_plural(name)}"


def name_item(scene: Scene, index: int) -> str:
    """Name an item of a scene; a shape with its colour."""
    item = scene.items[index]
    return f"{item.colour} {item.name}" if item.colour else item.name


def read_lettering(scene: Scene) -> str:
    """Return the words of the lettering in reading order, without the numbers of a list; empty without lettering."""
    if scene.lettering is None:
        return ""
    return " ".join(word for line in scene.lettering.lines for word in line if not word.endswith("."))


def describe(scene: Scene) -> tuple[str, tuple[str, ...]]:
    """Describe a scene; return the description and the names in it."""
    order = sorted(range(len(scene.items)), key=lambda index: scene.items[index].cell)
    counts = Counter(name_item(scene, index) for index in order)
    parts = []
    for label, count in counts.items():
        *colour, name = label.split()
        many = " ".join((*colour, get_plural(name)))
        parts.append(add_article(label) if count == 1 else f"{NUMBERS[count]} {many}")
    text = read_lettering(scene)
    names = tuple(dict.fromkeys(label.split()[-1] for label in counts))
    if not parts:
        body = (
            f"writing on {add_article(scene.background)} background"
            if text
            else f"{add_article(scene.background)} background"
        )
    else:
        body = (" and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]) + (
            f" on {add_article(scene.background)} background"
        )
    says = f" It says: {text}." if text else ""
    return f"A picture of {body}.{says}", names
