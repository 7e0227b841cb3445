"""Requests of the shipped checkpoint's held-out suite, and how they are compressed, reworded, disguised or rendered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO

from PIL import Image

from bench.robustness.disguises import disguise
from bench.robustness.folded_disguises import FOLDED
from bench.robustness.lettering import render_words, select_style
from bench.robustness.open_disguises import OPEN
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.suite_pairs import sample_suite_pairs
from safety_core.nano.world.drawing import draw

Picture = Image.Image | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRequest:
    """A picture and a text, and the risk level of the two together."""

    picture: Picture
    text: str
    level: int


@cache
def load_pairs() -> tuple[LabelledPair, ...]:
    """The pairs of the held-out suite; built once per process."""
    return tuple(sample_suite_pairs(SHIPPED.seed, SHIPPED.test, split="test", part="held_out"))


def create_request(pair: LabelledPair) -> SuiteRequest:
    """The request of a pair, its picture drawn."""
    picture = None if pair.picture is None else draw(pair.picture.scene)
    return SuiteRequest(picture=picture, text=pair.question.text, level=pair.risk.level)


def compress_picture(request: SuiteRequest, quality: int) -> SuiteRequest:
    """The same request with its picture as a JPEG of this quality."""
    assert request.picture is not None
    buffer = BytesIO()
    request.picture.save(buffer, "JPEG", quality=quality)
    return replace(request, picture=Image.open(buffer))


def reword(request: SuiteRequest, change: Callable[[str], str]) -> SuiteRequest:
    """The same request with a changed text."""
    return replace(request, text=change(request.text))


def disguise_requests(requests: Sequence[SuiteRequest], name: str) -> list[SuiteRequest]:
    """The same requests, each in the disguise of this name."""
    changed = disguise([one.text for one in requests], {**FOLDED, **OPEN}[name])
    return [replace(one, text=text) for one, text in zip(requests, changed, strict=True)]


def create_lettered_requests(pairs: Sequence[LabelledPair], name: str) -> list[SuiteRequest]:
    """Requests whose words are rendered into a picture, in one style of lettering."""
    return [
        replace(create_request(pair), picture=render_words(pair.picture.phrase.words, select_style(index, name)))
        for index, pair in enumerate(pairs)
        if pair.picture is not None and pair.picture.phrase is not None
    ]
