"""What people ask in the nano's world, in many paraphrases, and what a naive LLaVA answers.

A ``Question`` is one prompt about one scene: its words, the column of the labelling table it falls under, the risk of
its own words, and the reply of a model that knows no safety. Knows nothing of drawing or models.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from safety_core.nano.language.labelling_rules import SAFE, Risk
from safety_core.nano.language.replies import NO_PICTURE, REFUSAL, SHORT, STEPS, SURE
from safety_core.nano.language.wordings import (
    ABOUT_PICTURES,
    HOW_TO,
    RISKY_TALK,
    TALK,
    TRUE_TALK,
    Paraphrases,
    Part,
    dress,
    gibberish,
)
from safety_core.nano.world.scene import CELLS, SHAPES, Scene
from safety_core.nano.world.things import THINGS, by_name
from safety_core.nano.world.vocabulary import (
    CONTEMPT,
    FACTS,
    GROUPS,
    REQUESTS_BENIGN,
    REQUESTS_HARMFUL,
    Phrase,
)

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One prompt, and what a model without any safety would say to it."""

    text: str
    intent: str
    """Column of the labelling table."""

    kind: str
    """Finer than the intent: describe, what, where, count, exists, colour, read, compare, request, talk, ..."""

    answer: str
    own: Risk = SAFE
    """Risk of the words alone."""

    things: tuple[str, ...] = ()
    """Names that a description should mention."""

    needs_picture: bool = True


_WHOM = ("boss", "neighbour", "teacher", "classmate", "friend", "cousin")
_DRUGS = ("pills", "syringes", "cigarettes", "drugs")
_WEAPONS = ("pistols", "bombs", "daggers", "guns")


def plural(name: str) -> str:
    """Plural of a thing or shape."""
    return f"{name}s" if name in SHAPES else by_name()[name].plural


def with_article(name: str) -> str:
    """``a dog``, ``an apple``."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _number_of(name: str, counts: Counter[str]) -> str:
    """``one dog``, ``two dogs``."""
    return f"one {name}" if counts[name] == 1 else f"{NUMBERS[counts[name]]} {plural(name)}"


def _label(scene: Scene, index: int) -> str:
    item = scene.items[index]
    return f"{item.colour} {item.name}" if item.colour else item.name


def writing(scene: Scene) -> str:
    """The words in a scene in reading order, numbering of lists left out; empty where nothing is written."""
    if scene.lettering is None:
        return ""
    return " ".join(word for line in scene.lettering.lines for word in line if not word.endswith("."))


def describe(scene: Scene) -> tuple[str, tuple[str, ...]]:
    """A full description, and the names in it."""
    order = sorted(range(len(scene.items)), key=lambda index: scene.items[index].cell)
    counts = Counter(_label(scene, index) for index in order)
    parts = []
    for label, count in counts.items():
        *colour, name = label.split()
        many = " ".join((*colour, plural(name)))
        parts.append(with_article(label) if count == 1 else f"{NUMBERS[count]} {many}")
    text = writing(scene)
    names = tuple(dict.fromkeys(label.split()[-1] for label in counts))
    if not parts:
        body = (
            f"writing on {with_article(scene.background)} background"
            if text
            else f"{with_article(scene.background)} background"
        )
    else:
        body = (" and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]) + (
            f" on {with_article(scene.background)} background"
        )
    says = f" It says: {text}." if text else ""
    return f"A picture of {body}.{says}", names


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks questions about scenes.

    Attributes:
        rng: the random source of one sample.
        part: which wordings to use.
    """

    rng: Random
    part: Part = "trained"

    def _text(self, wording: Paraphrases, **slots: str) -> str:
        text = wording.pick(self.rng, self.part).format(**slots)
        for vowel in "aeiou":
            text = text.replace(f" a {vowel}", f" an {vowel}")
        return dress(self.rng, text)

    def picture_question(self, kind: str, scene: Scene, phrase: Phrase | None) -> Question | None:
        """A question of one kind about a scene, or None where the scene gives no unambiguous one."""
        ask = getattr(self, f"_{kind}", None)
        if ask is not None:
            question: Question | None = ask(scene)
            return question
        return self._request(kind, scene, phrase)

    def _describe(self, scene: Scene) -> Question:
        answer, names = describe(scene)
        return Question(
            text=self._text(ABOUT_PICTURES["describe"]), intent="look", kind="describe", answer=answer, things=names
        )

    def _what(self, scene: Scene) -> Question | None:
        if not scene.items:
            return None
        index = self.rng.randrange(len(scene.items))
        cell = CELLS[scene.items[index].cell]
        return Question(
            text=self._text(ABOUT_PICTURES["what"], cell=cell),
            intent="look",
            kind="what",
            answer=f"It is {with_article(_label(scene, index))}.",
        )

    def _where(self, scene: Scene) -> Question | None:
        counts = Counter(item.name for item in scene.items)
        single = [item for item in scene.items if counts[item.name] == 1]
        if not single:
            return None
        item = self.rng.choice(single)
        return Question(
            text=self._text(ABOUT_PICTURES["where"], thing=item.name),
            intent="look",
            kind="where",
            answer=f"The {item.name} is at the {CELLS[item.cell]}.",
        )

    def _cells(self, scene: Scene) -> Question | None:
        """Every cell in reading order: nine answers for one question, from which places are learned fastest."""
        if not scene.items or scene.lettering is not None:
            return None
        held = {item.cell: with_article(_label(scene, index)) for index, item in enumerate(scene.items)}
        rows = [", ".join(held.get(3 * row + column, "nothing") for column in range(3)) for row in range(3)]
        answer = " ".join(f"{name}: {row}." for name, row in zip(("Top", "Middle", "Bottom"), rows, strict=True))
        return Question(text=self._text(ABOUT_PICTURES["cells"]), intent="look", kind="cells", answer=answer)

    def _places(self, scene: Scene) -> Question | None:
        """Every thing with its cell."""
        if not scene.items:
            return None
        order = sorted(range(len(scene.items)), key=lambda index: scene.items[index].cell)
        places = [f"{with_article(_label(scene, index))} at the {CELLS[scene.items[index].cell]}" for index in order]
        answer = f"There is {', '.join(places)}."
        return Question(text=self._text(ABOUT_PICTURES["places"]), intent="look", kind="places", answer=answer)

    def _find(self, scene: Scene) -> Question | None:
        """Places of several things, each right behind its name: from these a name learns to find its patches."""
        counts = Counter(item.name for item in scene.items)
        cells = {item.name: CELLS[item.cell] for item in scene.items if counts[item.name] == 1}
        if not cells:
            return None
        names = self.rng.sample(list(cells), min(len(cells), 4))
        return self._list("find", names, [f"{name} {cells[name]}" for name in names])

    def _check(self, scene: Scene) -> Question:
        """Whether each of several things is there; half of them are not, wherever as many are."""
        present = list(dict.fromkeys(item.name for item in scene.items))
        names = self.rng.sample(present, min(len(present), self.rng.randint(1, 2)))
        names = self._with_absent(scene, names, max(1, len(names)))
        return self._list("check", names, [f"{name} {'yes' if name in present else 'no'}" for name in names])

    def _tally(self, scene: Scene) -> Question:
        """How many there are of several things, one of which is not there."""
        counts = Counter(item.name for item in scene.items)
        names = self._with_absent(scene, self.rng.sample(list(counts), min(len(counts), 3)), 1)
        return self._list(
            "tally", [plural(name) for name in names], [f"{plural(n)} {NUMBERS[counts[n]]}" for n in names]
        )

    def _with_absent(self, scene: Scene, names: list[str], count: int) -> list[str]:
        absent: set[str] = set()
        while len(absent) < count:
            absent.add(self._absent(scene))
        mixed = [*names, *sorted(absent)]
        self.rng.shuffle(mixed)
        return mixed

    def _list(self, kind: str, names: list[str], told: list[str]) -> Question:
        text = self._text(ABOUT_PICTURES[kind], list=", ".join(names))
        return Question(text=text, intent="look", kind=kind, answer=f"{', '.join(told)}.")

    def _count(self, scene: Scene) -> Question | None:
        counts = Counter(item.name for item in scene.items)
        # One question in six asks for something that is not there, as does a picture without things.
        name = self.rng.choice(list(counts)) if counts and self.rng.random() > 0.17 else self._absent(scene)
        number = counts[name]
        return Question(
            text=self._text(ABOUT_PICTURES["count"], things=plural(name)),
            intent="look",
            kind="count",
            answer=f"There is one {name}." if number == 1 else f"There are {NUMBERS[number]} {plural(name)}.",
        )

    def _absent(self, scene: Scene) -> str:
        present = {item.name for item in scene.items}
        while True:
            name = self.rng.choice(THINGS).name
            if name not in present:
                return name

    def _exists(self, scene: Scene) -> Question | None:
        present = [item.name for item in scene.items]
        # Where nothing stands the answer is always no: asked as often, such pictures would tip the balance.
        if not present and self.rng.random() > 0.15:
            return None
        yes = bool(present) and self.rng.random() < 0.5
        name = self.rng.choice(present) if yes else self._absent(scene)
        return Question(
            text=self._text(ABOUT_PICTURES["exists"], thing=name),
            intent="look",
            kind="exists",
            answer=f"Yes, there is {with_article(name)}." if yes else f"No, there is no {name}.",
        )

    def _colour(self, scene: Scene) -> Question:
        counts = Counter(item.name for item in scene.items)
        options = {"background": scene.background}
        options |= {item.name: item.colour for item in scene.items if item.colour and counts[item.name] == 1}
        if scene.lettering is not None:
            options["writing"] = scene.lettering.colour
        part = self.rng.choice(list(options))
        return Question(
            text=self._text(ABOUT_PICTURES["colour"], part=part),
            intent="look",
            kind="colour",
            answer=f"The {part} is {options[part]}.",
        )

    def _read(self, scene: Scene) -> Question:
        text = writing(scene)
        return Question(
            text=self._text(ABOUT_PICTURES["read"]),
            intent="read",
            kind="read",
            answer=f"It says: {text}." if text else "There is nothing written.",
        )

    def _compare(self, scene: Scene) -> Question | None:
        counts = Counter(item.name for item in scene.items)
        single = [item for item in scene.items if counts[item.name] == 1]
        options: list[tuple[str, str, str, bool]] = []
        for one in single:
            for other in single:
                if one.cell % 3 != other.cell % 3:
                    options.append(("left", one.name, other.name, one.cell % 3 < other.cell % 3))
                if one.cell // 3 != other.cell // 3:
                    options.append(("above", one.name, other.name, one.cell // 3 < other.cell // 3))
        for one_name in counts:
            for other_name in counts:
                if counts[one_name] != counts[other_name]:
                    options.append(("more", one_name, other_name, counts[one_name] > counts[other_name]))
        if not options:
            return None
        relation = self.rng.choice(sorted({option[0] for option in options}))
        truth = self.rng.random() < 0.5
        fitting = [option for option in options if option[0] == relation and option[3] == truth]
        _, one_name, other_name, _ = self.rng.choice(fitting)
        # What is compared is said first: the conclusion then follows from words, not from a guess.
        if relation == "more":
            text = self._text(ABOUT_PICTURES["more"], things=plural(one_name), others=plural(other_name))
            found = f"There are {_number_of(one_name, counts)} and {_number_of(other_name, counts)}"
        else:
            text = self._text(ABOUT_PICTURES[relation], thing=one_name, other=other_name)
            cells = {item.name: CELLS[item.cell] for item in single}
            found = f"The {one_name} is at the {cells[one_name]} and the {other_name} is at the {cells[other_name]}"
        answer = f"{found}, so {'yes' if truth else 'no'}."
        return Question(text=text, intent="look", kind="compare", answer=answer)

    def _request(self, kind: str, scene: Scene, phrase: Phrase | None) -> Question | None:
        """Questions that ask for more than looking: opinion, use, make, share, obey."""
        text = self._text(ABOUT_PICTURES[kind])
        words = writing(scene)
        alone = "card" if scene.card else None
        first = min(scene.items, key=lambda item: item.cell).name if scene.items else alone
        match kind:
            case "opinion":
                answer = "I like this picture."
            case "use" | "make" if first is not None:
                answer = f"Sure, here is how to {kind} the {first}: {STEPS}."
            case "share" if words or first:
                answer = f"Sure, here is a message: {words or 'look at the ' + str(first)}!"
            case "obey":
                if phrase is not None and phrase.topic:
                    answer = f"Sure, here is how to {phrase.topic}: {STEPS}."
                elif words:
                    answer = f"It says: {words}."
                else:
                    answer = "There is nothing written."
            case _:
                return None
        return Question(text=text, intent=kind, kind=kind, answer=answer)

    def small_talk(self) -> Question:
        """Talk that needs no picture and carries no risk: greetings, harmless how-to, true facts."""
        draw = self.rng.random()
        if draw < 0.4:
            verb, thing = self.rng.choice(REQUESTS_BENIGN)
            text = self._text(HOW_TO, verb=verb, thing=thing)
            answer = f"Sure, here is how to {verb} a {thing}: {STEPS}."
        elif draw < 0.6:
            subject = self.rng.choice(list(FACTS))
            right = FACTS[subject][0]
            text = self._text(
                TRUE_TALK, subject=subject, right=right, true=f"{subject} is {right}", whom=self.rng.choice(_WHOM)
            )
            answer = f"Yes, {subject} is {right}."
        else:
            wording, answer = TALK[self.rng.choice(list(TALK))]
            text = self._text(wording)
        return Question(text=text, intent="talk", kind="talk", answer=answer, needs_picture=False)

    def risky_talk(self, risk_type: str, level: int) -> Question:
        """A prompt whose words alone carry (type, level)."""
        subject = self.rng.choice(list(FACTS))
        right, wrong = FACTS[subject]
        wording = RISKY_TALK[risk_type, level]
        text = None
        if (risk_type, level) == ("illegal", 3) and self.rng.random() < 0.6:
            verb, thing = self.rng.choice(REQUESTS_HARMFUL)
            text = self._text(HOW_TO, verb=verb, thing=thing)
        if text is None:
            text = self._text(
                wording,
                whom=self.rng.choice(_WHOM),
                drugs=self.rng.choice(_DRUGS),
                weapons=self.rng.choice(_WEAPONS),
                group=self.rng.choice(GROUPS),
                bad=self.rng.choice(CONTEMPT),
                subject=subject,
                wrong=wrong,
                false=f"{subject} is {wrong}",
            )
        if level == 3:
            answer = REFUSAL
        elif level == 2:
            answer = SURE
        elif risk_type == "misleading":
            answer = f"No, {subject} is {right}."
        else:
            answer = SHORT
        return Question(
            text=text, intent="talk", kind="risky_talk", answer=answer, own=Risk(level, risk_type), needs_picture=False
        )

    def noise(self, scene: Scene | None) -> Question:
        """A prompt outside the grammar: the picture is described all the same."""
        text = gibberish(self.rng, self.part)
        if scene is None:
            return Question(text=text, intent="talk", kind="noise", answer=NO_PICTURE, needs_picture=False)
        answer, names = describe(scene)
        return Question(text=text, intent="look", kind="noise", answer=answer, things=names)
