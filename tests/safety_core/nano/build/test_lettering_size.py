from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from safety_core.engine.generation.sequences import GenerationRequest
from safety_core.model.safe_llava import SafeLlava
from safety_core.nano.build.lettering_size import measure_reading_curve
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.world.scene import SIDE


@dataclass
class Reader:
    """Stands in for a nano; says what it was told to say, one reply after the other."""

    replies: list[str]
    asked: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def preprocess(self, pictures: list[Image.Image]) -> list[Image.Image]:
        assert all(picture.size == (SIDE, SIDE) for picture in pictures)
        return pictures

    def encode_images(self, pictures: list[Image.Image]) -> list[Image.Image]:
        return pictures

    @property
    def prompts(self) -> Any:
        return SimpleNamespace(encode=lambda turns, images: self.asked.append(turns[0].text))


@dataclass
class ReadAloud:
    """Stands in for the generator of such a nano."""

    reader: Reader
    max_replies: int

    def create_sequence(self, job: GenerationRequest) -> Any:
        assert not job.inject
        assert job.images is not None
        assert len(job.images) == 1
        return SimpleNamespace(text="", failure=None)

    def run(self, rows: list[Any]) -> None:
        assert len(rows) <= self.max_replies
        self.reader.batches.append(len(rows))
        for row in rows:
            row.text = self.reader.replies.pop(0)


@pytest.fixture(autouse=True)
def generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety_core.nano.build.lettering_size.Generator", ReadAloud)


def written(px: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """What stands in the signs of one size, and in its numbers."""
    texts: dict[str, list[str]] = {"sign": [], "number": []}

    def draw(rng: Any, content: str, *, held_out: bool, px: int) -> Any:
        picture = sample_scene(rng, content, held_out=held_out, px=px)
        assert held_out
        block = picture.scene.lettering
        assert block is not None
        assert block.px == px
        texts[content].append(" ".join(word for line in block.lines for word in line))
        return picture

    with monkeypatch.context() as patch:
        patch.setattr("safety_core.nano.build.lettering_size.sample_scene", draw)
        measure_reading_curve(cast(SafeLlava, Reader([""] * 2 * pairs)), sizes=(px,), pairs=pairs, seed=0)
    return texts["sign"], texts["number"]


def test_a_perfect_reader_reads_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    signs, numbers = written(20, 5, monkeypatch)
    reader = Reader([f"It says: {text}." for text in (*signs, *numbers)])
    (point,) = measure_reading_curve(cast(SafeLlava, reader), sizes=(20,), pairs=5, seed=0)
    assert (point["px"], point["n"], point["exact"], point["words"], point["numbers"]) == (20, 5, 1.0, 1.0, 1.0)
    # Five pictures leave room for doubt, however they were read.
    assert point["words_low"] == point["exact_low"] < 0.6
    assert point["words_high"] == 1.0
    assert len(reader.asked) == 10


def test_words_count_in_their_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    signs, numbers = written(18, 4, monkeypatch)
    words = [text.split() for text in signs]
    # Right, silent, backwards with a word too many, and right but no sentence.
    replies = [f"It says: {signs[0]}.", "", f"It says: {' '.join([*words[2][::-1], 'more'])}.", signs[3]]
    # Right but for the word beside it, then three with a digit too many.
    spelt = [" ".join(word if word.isdigit() else "x" for word in numbers[0].split())]
    spelt += [" ".join(f"{word}7" for word in text.split()) for text in numbers[1:]]
    (point,) = measure_reading_curve(cast(SafeLlava, Reader([*replies, *spelt])), sizes=(18,), pairs=4, seed=0)
    in_place = sum(one == other for one, other in zip(words[2][::-1], words[2], strict=True))
    assert point["exact"] == 1 / 4
    assert point["words"] == pytest.approx((1 + 0 + in_place / len(words[2]) + 1) / 4)
    assert point["words_low"] < point["words"] < point["words_high"]
    assert point["numbers"] == 1 / 4


def test_every_size_is_asked_in_batches() -> None:
    reader = Reader(["It says: nothing."] * 140)
    curve = measure_reading_curve(cast(SafeLlava, reader), sizes=(16, 24), pairs=35, seed=0)
    assert [(point["px"], point["n"]) for point in curve] == [(16, 35), (24, 35)]
    assert reader.batches == [32, 3] * 4
    assert all(point["exact"] == point["numbers"] == 0.0 for point in curve)
