"""Words a question about one picture and its answer, from what is known about the picture.

Each function returns None where nothing of its kind can be asked. Knows no files.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from safety_core.small.alignment.naming.things import Thing
from safety_core.small.alignment.samples.collages import Collage
from safety_core.small.alignment.samples.photos import Photo
from safety_core.small.alignment.samples.questions import Kind, Question, read_questions, read_wordings

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six")

_KIND_NAMED = 0.25
"""Share of names that also say what the thing is a kind of."""

_DESCRIBED = 0.6
"""Share of answers that say what can be seen where something cannot be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question and its answer."""

    kind: Kind
    question: str
    answer: str


class Wording:
    """Words exchanges, all random choices by one generator.

    Args:
        rng: the generator.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def name(self, photo: Photo) -> Exchange | None:
        """Ask what a photograph is of."""
        if photo.main is None:
            return None
        question = self._ask("name")
        if question.answer != "short" and photo.main.kind and self._rng.random() < _KIND_NAMED:
            return self._finish(question, "name", ["kind"], _fill_thing(photo.main))
        return self._finish(question, "name", self._list_forms(question), _fill_thing(photo.main))

    def describe(self, photo: Photo, caption: str = "") -> Exchange | None:
        """Ask for a description: a caption, or the name of what a photograph is of."""
        if caption:
            return Exchange(kind="describe", question=self._ask("describe").text, answer=caption)
        if photo.main is None:
            return None
        return self._finish(self._ask("describe"), "describe", ["thing"], _fill_thing(photo.main))

    def describe_collage(self, collage: Collage) -> Exchange | None:
        """Ask for a description of a collage of photographs that have names."""
        named = [(photo.main, where) for photo, where in collage.parts if photo.main]
        if len(named) < len(collage.parts):
            return None
        parts = _join(f"{thing.phrase} {where}" for thing, where in named)
        fields = {"number": NUMBERS[len(named)], "parts": parts}
        return self._finish(self._ask("describe"), "describe", ["collage"], fields)

    def affirm(self, photo: Photo) -> Exchange | None:
        """Ask for a thing that a photograph shows."""
        if not photo.shown:
            return None
        thing = self._rng.choice(photo.shown)
        question = self._ask("yes-no")
        forms = self._list_forms(question)
        if "{plural}" in question.text and thing.is_countable:
            forms = ["several" if form == "sentence" else form for form in forms]
        return self._finish(question, "affirm", forms, _fill_thing(thing))

    def deny(self, photo: Photo) -> Exchange | None:
        """Ask for a thing that a photograph does not show."""
        if not photo.absent:
            return None
        thing = self._rng.choice(photo.absent)
        question = self._ask("yes-no")
        forms = self._list_forms(question)
        fields = _fill_thing(thing)
        if photo.main is not None and forms != ["short"]:
            forms = [*forms, "instead"]
            fields["b"] = photo.main.phrase
        return self._finish(question, "deny", forms, fields)

    def count_things(self, photo: Photo) -> Exchange | None:
        """Ask how many of a thing a photograph shows."""
        if not photo.counts:
            return None
        thing, number = self._rng.choice(photo.counts)
        question = self._ask("count", "things")
        forms = ["things" if form == "sentence" else form for form in self._list_forms(question)]
        return self._finish(question, "count", forms, {**_fill_thing(thing), "number": NUMBERS[number]})

    def count_photographs(self, collage: Collage) -> Exchange:
        """Ask of how many photographs a collage is made."""
        question = self._ask("count", "photographs")
        forms = ["photographs" if form == "sentence" else form for form in self._list_forms(question)]
        return self._finish(question, "count", forms, {"number": NUMBERS[len(collage.parts)]})

    def find_thing_at(self, thing: Thing, where: str) -> Exchange:
        """Ask what is in some place."""
        return self._finish(self._ask("place", "what"), "place", ["what"], {**_fill_thing(thing), "where": where})

    def find_place_of(self, thing: Thing, where: str) -> Exchange:
        """Ask where something is."""
        return self._finish(self._ask("place", "where"), "place", ["where"], {**_fill_thing(thing), "where": where})

    def decline_identity(self, photo: Photo) -> Exchange | None:
        """Ask who a person is, which no photograph shows."""
        if not photo.person:
            return None
        question = self._ask("person")
        fields = {"person": photo.person}
        return self._decline(question, "person", "refusal", photo, fields)

    def decline_facts(self, photo: Photo) -> Exchange:
        """Ask for an exact place, a date, a brand or a background, which a photograph rarely shows."""
        about = self._rng.choice([topic for kind, topic in read_questions() if kind == "unknowable"])
        return self._decline(self._ask("unknowable", about), "unknowable", about, photo, {})

    def _decline(self, question: Question, kind: str, form: str, photo: Photo, fields: dict[str, str]) -> Exchange:
        exchange = self._finish(question, kind, [form], fields)
        seen = self._rng.choice(photo.captions) if photo.captions else ""
        if not seen and photo.main is not None:
            seen = f"{photo.main.phrase}."
        if not seen or self._rng.random() > _DESCRIBED:
            return exchange
        more = self._rng.choice(read_wordings()[kind]["instead"]).format(seen=f"{seen[0].lower()}{seen[1:]}")
        return Exchange(kind=exchange.kind, question=exchange.question, answer=f"{exchange.answer} {more}")

    def _ask(self, kind: Kind, about: str = "") -> Question:
        return self._rng.choice(read_questions()[kind, about])

    def _list_forms(self, question: Question) -> list[str]:
        """List the forms of answer that a question admits."""
        return ["short", "sentence"] if question.answer == "any" else [question.answer]

    def _finish(self, question: Question, kind: str, forms: Iterable[str], fields: dict[str, str]) -> Exchange:
        """Fill the fields of the question, and of an answer of one of the forms."""
        form = self._rng.choice([*forms])
        answer = self._rng.choice(read_wordings()[kind][form])
        upper = {_capitalize(name): _capitalize(value) for name, value in fields.items()}
        return Exchange(
            kind=question.kind,
            question=_capitalize(question.text.format(**fields))
            if question.text[0] == "{"
            else question.text.format(**fields),
            answer=answer.format(**fields, **upper),
        )


def _fill_thing(thing: Thing) -> dict[str, str]:
    """Fields of a wording about a thing."""
    return {
        "a": thing.phrase,
        "the": f"the {thing.noun}",
        "thing": thing.noun,
        "plural": thing.plural,
        "kind": thing.kind,
    }


def _join(parts: Iterable[str]) -> str:
    """Join parts of a list as English does."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _capitalize(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
