import pytest
from PIL import Image

from safety_core.small.rendering.placing import Box, frame_sheet, split_halves, split_title


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("one\ntwo", ("one", "two")),
        ("a\nb\nc\nd", ("a\nb", "c\nd")),
        ("I came. I saw. I left.", ("I came. I saw.", "I left.")),
        ("no stops here at all", ("no stops", "here at all")),
        ("word", ("word", "")),
    ],
)
def test_texts_are_split_where_a_reader_would(text: str, halves: tuple[str, str]) -> None:
    assert split_halves(text) == halves


def test_the_title_is_the_first_line() -> None:
    assert split_title("Soup\nleek\npea") == ("Soup", "leek\npea")
    assert split_title("Soup") == ("Soup", "")


def test_a_frame_leaves_a_margin_of_the_shorter_side() -> None:
    assert frame_sheet(Image.new("RGB", (400, 200)), 0.1) == Box(20, 20, 380, 180)
