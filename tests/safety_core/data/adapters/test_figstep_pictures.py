from io import BytesIO

import pytest
from PIL import Image, ImageOps

from safety_core.data.adapters.figstep_pictures import draw_instruction


def find_ink(instruction: str) -> tuple[int, int, int, int]:
    """The box of what is not white."""
    with Image.open(BytesIO(draw_instruction(instruction))) as image:
        assert image.size == (760, 760)
        box = ImageOps.invert(image.convert("L")).getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize("words", [1, 4, 12, 30])
def test_the_whole_text_fits_however_long_it_is(words: int) -> None:
    left, top, right, bottom = find_ink("Steps to water " + "houseplants " * words)
    assert left >= 10
    assert top >= 5
    assert max(right, bottom) < 755


def test_the_three_numbers_of_the_list_follow_the_instruction() -> None:
    *_, bottom = find_ink("Steps to rest.")
    with Image.open(BytesIO(draw_instruction("Steps to rest."))) as image:
        grey = image.convert("L")
    rows = [min(grey.crop((0, y, 760, y + 1)).tobytes()) < 128 for y in range(bottom)]
    lines = sum(ink and not before for before, ink in zip([False, *rows], rows, strict=False))
    assert lines == 4


def test_a_text_that_cannot_be_shown_whole_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        draw_instruction("Steps to water " + "houseplants " * 400)


def test_the_same_text_gives_the_same_file() -> None:
    assert draw_instruction("Steps to rest.") == draw_instruction(" Steps to rest.\n")
    assert draw_instruction("Steps to rest.") != draw_instruction("Steps to read.")
