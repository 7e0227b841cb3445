"""Plans pictures with lettering: each risky text in several kinds, with harmless twins, and the prompts beside them.

A twin has the kind, the seed and the photograph of its risky picture, so layout, faces and colours are the same: only
the words tell them apart. A plan depends on the texts, photographs, prompts and the seed, never on their order beyond
that of the lists, and a text's pictures do not change when other texts are added. Knows no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from PIL import Image

from safety_core.data.raw_samples import NamedLabel
from safety_core.small.lettering_plan.prompts import FITTING, PicturePrompt
from safety_core.small.lettering_plan.rules import SAFE, Form, PromptKind, label_pair
from safety_core.small.lettering_plan.texts import LetteringText, OtherPrompt
from safety_core.small.rendering.documents.contents.document import DOCUMENT_KINDS, DocumentKind
from safety_core.small.rendering.documents.countries import COUNTRIES
from safety_core.small.rendering.documents.people import create_person
from safety_core.small.rendering.documents.render import compose_document, render_document
from safety_core.small.rendering.kinds import KINDS, Kind, Split
from safety_core.small.rendering.render import render_lettering

RISKY_KINDS: dict[Form, tuple[Kind, ...]] = {
    "request": ("plain", "overlay", "screenshot", "handwriting", "chat", "slide", "sign", "meme", "code", "book"),
    "list": ("list", "plain", "overlay", "slide", "handwriting", "book", "screenshot", "poster"),
    "phrase": ("plain", "overlay", "sign", "label", "poster", "slide", "banner", "screenshot", "handwriting", "meme"),
    "statement": ("plain", "overlay", "meme", "poster", "banner", "sign", "chat", "screenshot", "headline", "slide"),
    "document": ("card", "letter", "form", "screenshot", "plain", "handwriting"),
    "harmless": KINDS,
}
"""Kinds that a text of each form is shown in, besides its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPair:
    """A prompt beside a picture."""

    prompt: str
    """Empty for a picture without a prompt."""

    kind: PromptKind
    label: NamedLabel
    """Label of the picture and the prompt together."""

    own: NamedLabel = SAFE
    """Label of the prompt's words alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPicture:
    """One picture to render."""

    id: str
    """Hash of what it shows; the twin of a picture has its own."""

    split: Split
    seed: int
    photograph: str = ""
    """Id of a photograph, or empty."""

    label: NamedLabel
    """Type and level of what can be read in it."""

    form: Form

    text: str
    """What can be read in it."""

    kind: Kind | None = None
    """Kind of a picture of a text."""

    document: DocumentKind | None = None
    """Kind of a document."""

    person: tuple[int, str] | None = None
    """Seed and country of the person in a document; None for a document without data."""

    twin_of: str = ""
    """Id of the risky picture that it looks like, or empty."""

    group: str = ""
    """Group of the text."""

    pairs: tuple[PlannedPair, ...] = ()


def plan_pictures(
    texts: Sequence[LetteringText],
    photographs: Sequence[str],
    prompts: Sequence[PicturePrompt],
    others: Sequence[OtherPrompt],
    *,
    split: Split,
    seed: int = 0,
    risky: int = 4,
    harmless: int = 1,
    asked: int = 4,
) -> tuple[PlannedPicture, ...]:
    """Plan the pictures of a split.

    Args:
        texts: texts of the split, risky and harmless.
        photographs: ids of harmless photographs of the split; may be empty.
        prompts: all prompts that speak of a picture; those of other splits are left out.
        others: prompts of the split that do not.
        split: which split.
        seed: chooses kinds, photographs, twins and prompts.
        risky: pictures of each risky text; each has a harmless twin, where there are harmless texts.
        harmless: pictures of each harmless text besides.
        asked: prompts beside each picture, besides none.
    """
    asking = _Asking(prompts, others, split, asked)
    calm = [text for text in texts if text.label[1] == 0]
    planned: dict[str, PlannedPicture] = {}
    for text in texts:
        rng = Random(f"{seed}/{split}/{text.text}")
        for kind in _choose_kinds(rng, text, risky if text.label[1] else harmless):
            photograph = _choose_photograph(rng, kind, photographs)
            picture = _plan_text(text, kind, rng.getrandbits(31), photograph, split, asking)
            planned.setdefault(picture.id, picture)
            if text.label[1] and calm:
                twin = _find_twin(Random(picture.id), text, kind, calm)
                other = _plan_text(twin, kind, picture.seed, photograph, split, asking, twin_of=picture.id)
                planned.setdefault(other.id, other)
    return tuple(planned.values())


def plan_documents(
    count: int,
    photographs: Sequence[str],
    prompts: Sequence[PicturePrompt],
    others: Sequence[OtherPrompt],
    *,
    split: Split,
    seed: int = 0,
    asked: int = 4,
) -> tuple[PlannedPicture, ...]:
    """Plan documents of made-up people, each with a twin without data; arguments as above.

    Args:
        count: how many documents of people; kinds and countries take turns.
    """
    asking = _Asking(prompts, others, split, asked)
    countries = list(COUNTRIES)
    planned = []
    for number in range(count):
        rng = Random(f"document/{seed}/{split}/{number}")
        kind = DOCUMENT_KINDS[number % len(DOCUMENT_KINDS)]
        person = rng.getrandbits(31), countries[(number // len(DOCUMENT_KINDS) + number) % len(countries)]
        look = rng.getrandbits(31)
        photograph = rng.choice(photographs) if photographs and rng.random() < 0.5 else ""
        shown = _plan_document(kind, person, look, photograph, split, asking)
        planned += [shown, _plan_document(kind, None, look, photograph, split, asking, twin_of=shown.id)]
    return tuple(planned)


def render_planned(picture: PlannedPicture, photographs: Mapping[str, Path]) -> Image.Image:
    """Render a planned picture.

    Args:
        picture: from a plan.
        photographs: files of the photographs, by the ids that the plan was made with.

    Raises:
        InputError: the text is too long for a picture of its kind.
        ConfigError: a package with fonts is not installed.
    """
    photograph = _open_photograph(photographs[picture.photograph]) if picture.photograph else None
    if picture.document is not None:
        person = create_person(*picture.person, picture.split) if picture.person else None
        return render_document(person, picture.document, picture.seed, picture.split, photograph=photograph)
    assert picture.kind is not None, "a planned picture is a text or a document"
    return render_lettering(
        picture.text, kind=picture.kind, seed=picture.seed, photograph=photograph, split=picture.split
    )


def _open_photograph(file: Path) -> Image.Image:
    """Read a photograph."""
    with Image.open(file) as image:
        return image.convert("RGB")


class _Asking:
    """Chooses the prompts beside a picture.

    Args:
        prompts: prompts that speak of a picture, of all splits.
        others: prompts that do not, of this split.
        split: this split.
        asked: how many beside each picture.
    """

    def __init__(
        self, prompts: Sequence[PicturePrompt], others: Sequence[OtherPrompt], split: Split, asked: int
    ) -> None:
        self._prompts = [prompt for prompt in prompts if (prompt.split == "test") == (split == "test")]
        self._others = list(others)
        self._asked = asked

    def ask(self, rng: Random, form: Form, label: NamedLabel, like: Form) -> tuple[PlannedPair, ...]:
        """Choose prompts of several kinds; ``like`` is the form whose prompts fit (that of a twin's risky picture)."""
        pairs = [PlannedPair(prompt="", kind="none", label=label_pair(form, label, "none"))]
        kinds: list[PromptKind] = ["carry-out", "neutral", "read", "careful", "reverse", "other"]
        weights = (4, 3, 2, 2, 2, 3)
        for _ in range(self._asked):
            kind = rng.choices(kinds, weights)[0]
            if kind == "other":
                if self._others:
                    other = rng.choice(self._others)
                    found = label_pair(form, label, "other", other.label)
                    pairs.append(PlannedPair(prompt=other.text, kind="other", label=found, own=other.label))
                continue
            fitting = [
                prompt
                for prompt in self._prompts
                if prompt.kind == kind and prompt.fits in FITTING[like] and (form != "harmless" or prompt.level == 0)
            ]
            # A prompt made for the form is as likely as one that fits all.
            special = [prompt for prompt in fitting if prompt.fits != "any"]
            chosen = special if special and rng.random() < 0.5 else fitting
            if chosen:
                prompt = rng.choice(chosen)
                found = label_pair(form, label, kind, prompt.label)
                pairs.append(PlannedPair(prompt=prompt.text, kind=kind, label=found, own=prompt.label))
        return tuple({pair.prompt: pair for pair in pairs}.values())


def _hash_picture(*parts: object) -> str:
    """Short hash of what a picture shows."""
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def _choose_kinds(rng: Random, text: LetteringText, count: int) -> list[Kind]:
    """Choose the kinds of a text's pictures: its own first, then plain or overlay, then others."""
    form = text.found_form
    first: list[Kind] = [text.kind] if text.kind else []
    usual = [kind for kind in RISKY_KINDS[form] if kind not in first]
    if form == "harmless" and not first:
        usual = list(RISKY_KINDS["request"])
    rng.shuffle(usual)
    if form != "harmless":
        usual.sort(key=lambda kind: kind not in ("plain", "overlay"))
    return [*first, *usual][:count]


def _choose_photograph(rng: Random, kind: Kind, photographs: Sequence[str]) -> str:
    """Choose a photograph for most kinds that show one, and for some of the others."""
    if not photographs or kind == "plain":
        return ""
    share = 1.0 if kind in ("overlay", "meme", "banner") else 0.5
    return rng.choice(photographs) if rng.random() < share else ""


def _find_twin(rng: Random, text: LetteringText, kind: Kind, calm: Sequence[LetteringText]) -> LetteringText:
    """Find a harmless text of the same kind and about the same length and number of lines."""
    same = [other for other in calm if other.kind == (text.kind or kind)] or list(calm)
    lines = text.text.count("\n")
    some = rng.sample(same, min(24, len(same)))
    return min(some, key=lambda other: abs(len(other.text) - len(text.text)) + 12 * abs(other.text.count("\n") - lines))


def _plan_text(
    text: LetteringText, kind: Kind, seed: int, photograph: str, split: Split, asking: _Asking, twin_of: str = ""
) -> PlannedPicture:
    """Plan one picture of a text."""
    name = _hash_picture(text.text, kind, seed, photograph, split)
    form = text.found_form
    return PlannedPicture(
        id=name,
        split=split,
        seed=seed,
        photograph=photograph,
        label=text.label,
        form=form,
        text=text.text,
        kind=kind,
        twin_of=twin_of,
        group=text.group,
        pairs=asking.ask(Random(name), form, text.label, _guess_like(text) if form == "harmless" else form),
    )


def _guess_like(text: LetteringText) -> Form:
    """Form of the risky texts that a harmless one resembles, so that it gets their prompts."""
    form = LetteringText(text=text.text, label=("illegal", 1), group=text.group).found_form
    return "document" if text.kind in ("card", "form") else form


def _plan_document(
    kind: DocumentKind,
    person: tuple[int, str] | None,
    seed: int,
    photograph: str,
    split: Split,
    asking: _Asking,
    twin_of: str = "",
) -> PlannedPicture:
    """Plan one document."""
    content = compose_document(create_person(*person, split) if person else None, kind, seed, split)
    name = _hash_picture("document", kind, person, seed, photograph, split)
    form: Form = "document" if person else "harmless"
    return PlannedPicture(
        id=name,
        split=split,
        seed=seed,
        photograph=photograph,
        label=content.label if person else SAFE,
        form=form,
        text=content.text,
        document=kind,
        person=person,
        twin_of=twin_of,
        group=f"document/{kind}",
        pairs=asking.ask(Random(name), form, content.label, "document"),
    )
