import numpy as np
import pytest
from PIL import Image

from safety_core.small.rendering.typography.faces import FACES
from safety_core.small.rendering.typography.typesetting import (
    Block,
    DoesNotFit,
    Style,
    draw_block,
    fit_block,
    measure_width,
    set_block,
    wrap_text,
)

STYLE = Style(face=next(face for face in FACES if face.name == "Roboto"))

SENTENCE = "The ferry leaves at noon and comes back before the lamps are lit in the harbour."


def list_texts(block: Block) -> list[str]:
    """The lines of a block."""
    return [line.text.strip() for line in block.lines]


def test_lines_keep_the_words_and_the_width() -> None:
    lines = wrap_text(SENTENCE, STYLE, 20, 180)
    assert lines is not None
    assert " ".join(line.text.strip() for line in lines) == SENTENCE
    assert all(measure_width(STYLE.face, 400, 20, line.text) <= 180 for line in lines)


def test_empty_points_and_empty_lines_stay() -> None:
    block = set_block("Things to do\n\n1.\n2.\n3.", STYLE, 20, 400)
    assert block is not None
    assert list_texts(block) == ["Things to do", "", "1.", "2.", "3."]


def test_the_second_line_of_a_point_hangs_below_its_first_word() -> None:
    lines = wrap_text("12. " + SENTENCE, STYLE, 20, 220)
    assert lines is not None
    assert lines[0].indent == 0
    assert lines[1].indent == pytest.approx(measure_width(STYLE.face, 400, 20, "12. "))


def test_a_block_is_as_large_as_fits() -> None:
    block = fit_block(SENTENCE, STYLE, 300, 120, largest=90, smallest=12)
    assert block.height <= 120
    assert block.width <= 300
    assert block.px < 90
    larger = set_block(SENTENCE, STYLE, block.px + 1, 300)
    assert larger is None or larger.height > 120


def test_a_long_word_is_divided_only_at_the_smallest_size() -> None:
    block = fit_block("m" * 60, STYLE, 200, 400, largest=60, smallest=14)
    assert block.px == 14
    assert "".join(list_texts(block)) == "m" * 60


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DoesNotFit):
        fit_block(SENTENCE * 9, STYLE, 200, 60, largest=40, smallest=14)


def test_balanced_lines_are_about_equally_long() -> None:
    style = Style(face=STYLE.face, balanced=True)
    block = set_block("one two three four five six seven", style, 30, 380)
    plain = set_block("one two three four five six seven", STYLE, 30, 380)
    assert block is not None
    assert plain is not None
    assert len(block.lines) == len(plain.lines)
    assert block.width <= plain.width


def test_capitals_are_set_where_the_style_says_so() -> None:
    block = set_block("No entry", Style(face=STYLE.face, capitals=True), 30, 380)
    assert block is not None
    assert list_texts(block) == ["NO ENTRY"]


@pytest.mark.parametrize("align", ["left", "centre", "right"])
def test_lettering_lies_where_it_is_aligned(align: str) -> None:
    style = Style(face=STYLE.face, align=align)  # type: ignore[arg-type]
    block = set_block("Hello", style, 40, 400)
    assert block is not None
    image = Image.new("RGB", (400, 80), "white")
    draw_block(image, block, 0, 10, 400)
    columns = np.flatnonzero((np.asarray(image.convert("L")) < 128).any(axis=0))
    middle = (columns[0] + columns[-1]) / 2
    assert {"left": middle < 100, "centre": 180 < middle < 220, "right": middle > 300}[align]


def test_characters_that_a_face_lacks_are_drawn_all_the_same() -> None:
    face = next(face for face in FACES if face.name == "Anton")
    image = Image.new("RGB", (300, 80), "white")
    block = set_block("μ ☕ 😂", Style(face=face), 40, 300)
    assert block is not None
    draw_block(image, block, 0, 10)
    colours = {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3)}
    assert (252, 205, 60) in colours
    assert (0, 0, 0) in colours
