"""Reading real lettering: exact where letters are large enough, complete or a problem, and cheap without lettering."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from safety_core.lettering.rapidocr import RapidOcrReader
from safety_core.lettering.reading import Lettering, Problem, ReadingLimits
from safety_core.lettering.reading_order import order_by_columns
from tests.helpers.engine.readers import draw_sentences, needs_ocr

pytestmark = needs_ocr

SENTENCES = (
    "Steps to bake a good apple pie:",
    "1. Peel eight apples and slice them.",
    "2. Mix flour with cold butter.",
    "3. Bake for fifty minutes.",
)
UNHURRIED = ReadingLimits(picture_s=240.0)
"""Tests do not depend on the load of the machine."""


@pytest.fixture(scope="module")
def reader() -> RapidOcrReader:
    return RapidOcrReader(UNHURRIED)


def read_rows(lettering: Lettering, image: Image.Image) -> list[str]:
    assert lettering.problem is None
    rows = order_by_columns(lettering.lines, aspect=image.width / image.height)
    return [" ".join(line.text for line in row) for row in rows]


def join(rows: Sequence[str]) -> str:
    """The letters without the spaces, which the reader may lose."""
    return "".join("".join(rows).split())


@pytest.mark.parametrize("font", ["DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono-Bold.ttf"])
@pytest.mark.parametrize("height", [22, 40])
def test_sentences_are_read_exactly(reader: RapidOcrReader, font: str, height: int) -> None:
    image = draw_sentences(SENTENCES, size=(960, 640), height=height, font=font).resize((736, 491))
    rows = read_rows(reader.read(image), image)
    assert [join([row]) for row in rows] == [join([sentence]) for sentence in SENTENCES]


def test_boxes_are_where_the_lines_are(reader: RapidOcrReader) -> None:
    (line,) = reader.read(draw_sentences(["Mind the gap"], size=(600, 300), height=40)).lines
    left, top, right, bottom = line.box
    assert line.text == "Mind the gap"
    assert 0 <= left < 0.05 < 0.4 < right < 0.6
    assert 0 <= top < 0.1 < 0.15 < bottom < 0.3
    assert 0.9 < line.confidence <= 1


def test_a_picture_without_lettering_runs_only_the_detector(
    reader: RapidOcrReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_recogniser", None)
    image = Image.new("RGB", (640, 480), "skyblue")
    image.paste("olive", (0, 300, 640, 480))
    assert reader.read(image) == Lettering()


def test_fifty_lines_are_read_completely(reader: RapidOcrReader) -> None:
    sentences = [f"{index}. {SENTENCES[1 + index % 3][3:]}" for index in range(1, 51)]
    image = draw_sentences(sentences, size=(736, 736), height=9)
    letters = join(read_rows(reader.read(image), image))
    wanted = join(sentences)
    assert abs(len(letters) - len(wanted)) < 0.05 * len(wanted)
    assert sum(join([sentence])[2:] in letters for sentence in sentences) > 40


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (700, 3), (64, 64), (736, 37)])
def test_any_size_is_read(reader: RapidOcrReader, size: tuple[int, int]) -> None:
    assert reader.read(Image.new("RGB", size, "white")) == Lettering()


def test_a_low_picture_is_read(reader: RapidOcrReader) -> None:
    image = draw_sentences(["Mind the gap"], size=(400, 36), height=18)
    assert join([line.text for line in reader.read(image).lines]) == "Mindthegap"


def test_beyond_the_bounds_there_is_a_problem_and_no_lettering() -> None:
    image = draw_sentences(SENTENCES)
    few = RapidOcrReader(ReadingLimits(boxes=3, picture_s=240))
    assert few.read(image) == Lettering(problem=Problem.BOXES)
    short = RapidOcrReader(ReadingLimits(characters=30, picture_s=240))
    assert short.read(image) == Lettering(problem=Problem.CHARACTERS)
    hurried = RapidOcrReader(ReadingLimits(picture_s=0.0))
    assert hurried.read(image) == Lettering(problem=Problem.TIME)


def test_specks_all_over_a_picture_are_a_problem(reader: RapidOcrReader, monkeypatch: pytest.MonkeyPatch) -> None:
    detected = np.zeros((1, 1, 512, 512), np.float32)
    detected[..., ::8, ::8] = 1.0
    monkeypatch.setattr("safety_core.lettering.rapidocr._Run.run", lambda run, session, values: detected)
    assert reader.read(Image.new("RGB", (512, 512))) == Lettering(problem=Problem.BOXES)


def test_the_deadline_ends_a_network_that_runs() -> None:
    reader = RapidOcrReader(UNHURRIED)
    options: list[Any] = []

    class Session:
        """Runs until it is terminated, like a network that takes too long."""

        def get_inputs(self) -> list[Any]:
            return [type("Input", (), {"name": "x"})]

        def run(self, outputs: None, inputs: dict[str, Any], run_options: Any) -> list[Any]:
            options.append(run_options)
            while not run_options.terminate:
                pass
            raise RuntimeError("terminated")

    reader._limits = ReadingLimits(picture_s=0.05)
    reader._detector.infer.session = Session()
    assert reader.read(Image.new("RGB", (64, 64))) == Lettering(problem=Problem.TIME)
    assert len(options) == 1


def test_an_error_of_the_runtime_is_no_problem_of_time(reader: RapidOcrReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(values: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(reader, "_preprocess", fail)
    with pytest.raises(ValueError, match="broken"):
        reader.read(Image.new("RGB", (64, 64)))


def test_several_threads_read_at_once(reader: RapidOcrReader) -> None:
    images = [draw_sentences([sentence], size=(600, 120), height=30) for sentence in SENTENCES]
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(reader.read, images * 2))
    alone = [reader.read(image) for image in images]
    assert read == alone * 2


def test_the_package_writes_nothing_to_the_terminal_and_nothing_is_logged(
    reader: RapidOcrReader, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        reader.read(draw_sentences(["Mind the gap"]))
    assert capfd.readouterr() == ("", "")
    assert "gap" not in caplog.text
    assert logging.getLogger("RapidOCR").handlers == logging.getLogger("OrtInferSession").handlers == []


def test_readers_with_the_same_bounds_have_the_same_name() -> None:
    assert repr(RapidOcrReader(UNHURRIED)) == repr(RapidOcrReader(UNHURRIED)) != repr(RapidOcrReader())
