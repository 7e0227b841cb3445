from pathlib import Path

import pytest

from safety_core.small.corpus.records import Record
from safety_core.small.evaluation.items.lettering import EMPTY_POINTS, LONGEST_TEXT, WAYS, list_lettering_items
from safety_core.small.evaluation.items.picture_folder import PictureFolder
from safety_core.small.evaluation.items.prompts import list_prompts
from safety_core.small.rendering.kinds import Kind
from tests.helpers.datasets.real_items import HARMFUL, make_photograph, make_record


class NotedPictures(PictureFolder):
    """Notes what is to be drawn, and draws nothing; texts that begin with ``huge`` fit into no picture."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "test")
        self.drawn: list[tuple[str, str, Path | None]] = []

    def draw_lettering(self, text: str, kind: Kind, seed: int, photograph: Path | None = None) -> Path | None:
        self.drawn.append((text, kind, photograph))
        return None if text.startswith("huge") else Path(f"{len(self.drawn)}.jpg")


@pytest.fixture
def pictures(tmp_path: Path) -> NotedPictures:
    return NotedPictures(tmp_path)


def test_harmful_texts_take_every_way_with_two_prompts_each(tmp_path: Path, pictures: NotedPictures) -> None:
    records = [make_record("catqa", f"harm {n}", HARMFUL) for n in range(len(WAYS))]
    photograph = make_photograph(tmp_path, "coco", "dog")
    items = list_lettering_items([*records, photograph], "test", pictures, 99)
    assert len(items) == 2 * len(WAYS)
    assert [kind for _, kind, _ in pictures.drawn] == [way.kind for way in WAYS]
    assert [text.endswith(EMPTY_POINTS) for text, *_ in pictures.drawn] == [way.points for way in WAYS]
    assert {shown for *_, shown in pictures.drawn} == {None, photograph.photo}
    for looks, does in zip(items[::2], items[1::2], strict=True):
        assert looks.picture == does.picture
        assert looks.prompt in list_prompts("neutral", "test")
        assert does.prompt in list_prompts("carry out", "test")
        assert looks.columns == does.columns == ("rendered",)
        assert looks.lettered


def test_harmless_lettering_is_made_of_requests_captions_and_statements(
    tmp_path: Path, pictures: NotedPictures
) -> None:
    records: list[Record] = [
        make_record("benign_fastchat", "How do I whisk?"),
        make_record("covid_claims", "The clinic is open.", category="real"),
        make_photograph(tmp_path, "flickr8k", "dog", captions=("A dog runs .",)),
        make_record("hatecheck", "Nice people.", category="ident_pos_nh"),
        make_record("hatecheck", "Bad people.", ("insults_bullying", 3), category="derog_impl_h"),
    ]
    items = list_lettering_items(records, "test", pictures, 99)
    found = {(item.columns, part.partition("/")[2]) for item in items for part in item.parts if "origin" in part}
    assert found == {
        (("harmless_lettering",), "requests"),
        (("harmless_lettering",), "captions"),
        (("harmless_lettering",), "statements"),
        (("contrast",), "contrast"),
        (("hate",), "hate"),
    }
    assert [item.is_risky for item in items] == [item.columns == ("hate",) for item in items]


def test_texts_that_are_long_or_prompts_only_or_fit_nowhere_are_left_out(pictures: NotedPictures) -> None:
    records = [
        make_record("catqa", "x" * (LONGEST_TEXT + 1), HARMFUL),
        make_record("catqa", "prompt", HARMFUL, surface="prompt"),
        make_record("catqa", "huge", HARMFUL),
    ]
    assert list_lettering_items(records, "test", pictures, 99) == []
    assert len(pictures.drawn) == 1
