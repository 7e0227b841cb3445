"""Things that photographs show, as English phrases: with their article, in the plural, and by other names.

Knows the words of :data:`NAMES_FILE` and the grammar of nouns; knows no photographs.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from safety_core.strict_json import StrictModel

NAMES_FILE = Path(__file__).parents[1] / "assets" / "names.yaml"
"""Words for things whose label is not what people say."""

Form = Literal["thing", "mass", "pair", "plural"]
"""How a noun is used: "a dog", "hay", "a pair of binoculars", "jeans"."""

_SHORTEST_HEAD = 3
"""Letters of the shortest last word that names a thing by itself."""

_VOWEL = re.compile(r"(?!eu|uni|one\b)[aeiou]|hourglass|SUV\b|RV\b|MP3", re.IGNORECASE)
_SIBILANT = re.compile(r"(?:s|x|z|ch|sh)$")
_IRREGULAR = {"man": "men", "woman": "women", "child": "children", "person": "people", "mouse": "mice", "ox": "oxen"}
_IRREGULAR |= {"goose": "geese", "wolf": "wolves", "knife": "knives", "shelf": "shelves", "loaf": "loaves"}
_IRREGULAR |= {"fish": "fish", "sheep": "sheep", "bison": "bison", "salmon": "salmon", "aircraft": "aircraft"}


class _NameRow(StrictModel):
    """One entry of the file."""

    say: str = ""
    also: list[str] = Field(default=[])
    form: Form = "thing"
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One kind of thing."""

    label: str
    """The label that a set of photographs gives it."""

    noun: str
    """The name that people say, in the singular where it has one."""

    also: tuple[str, ...] = ()
    """Other names."""

    form: Form = "thing"

    whole: bool = False
    """Whether the last word of the name alone names something else."""

    kind: str = ""
    """What it is a kind of (``dog``); empty if nothing is known."""

    @property
    def phrase(self) -> str:
        """The name as an answer uses it: "an otter", "a pair of binoculars", "hay"."""
        match self.form:
            case "thing":
                return add_article(self.noun)
            case "pair":
                return f"a pair of {self.noun}"
            case _:
                return self.noun

    @property
    def plural(self) -> str:
        """The name of several: "otters", "binoculars", "hay"."""
        return form_plural(self.noun) if self.form == "thing" else self.noun

    @property
    def is_countable(self) -> bool:
        """Whether one can be told from two."""
        return self.form == "thing"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name: label, noun and other names, and the last word of label and noun unless it names another."""
        heads = () if self.whole else tuple(find_head(name) for name in (self.label, self.noun))
        return tuple(dict.fromkeys(filter(None, (self.noun, self.label, *self.also, *heads))))


def find_thing(label: str, *, kind: str = "") -> Thing:
    """Find the words for a label; a label without an entry names itself."""
    row = _read_names().get(label, _NameRow())
    return Thing(
        label=label,
        noun=row.say or label,
        also=tuple(row.also),
        form=row.form,
        whole=row.whole,
        kind=kind,
    )


@cache
def _read_names() -> dict[str, _NameRow]:
    data = yaml.safe_load(NAMES_FILE.read_text(encoding="utf-8"))
    return {label: _NameRow.model_validate(row) for label, row in data.items()}


def add_article(noun: str) -> str:
    """Put the indefinite article before a noun."""
    return f"{'an' if _VOWEL.match(noun) else 'a'} {noun}"


def form_plural(noun: str) -> str:
    """Form the plural of a noun; of "glass of wine", that of its first word."""
    head, of, rest = noun.partition(" of ")
    start, space, last = head.rpartition(" ")
    if last in _IRREGULAR:
        plural = _IRREGULAR[last]
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        plural = f"{last[:-1]}ies"
    else:
        plural = f"{last}es" if _SIBILANT.search(last) else f"{last}s"
    return f"{start}{space}{plural}{of}{rest}"


def find_head(noun: str) -> str:
    """Find the noun that a name qualifies: "hound" of "Afghan hound"; empty if it is too short to name anything."""
    head = re.split(r"[\s-]", noun.partition(" of ")[0])[-1]
    return head if len(head) >= _SHORTEST_HEAD else ""
