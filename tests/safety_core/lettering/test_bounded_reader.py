"""Reading within bounds: what a reader may do wrong, and that nothing is read twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image

from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.bounded_reader import BoundedReader, PictureReading, crop_content, draw_sign
from safety_core.lettering.rapidocr import RapidOcrReader
from safety_core.lettering.reading import Lettering, Line, Outcome, Problem, ReadingLimits
from tests.helpers.engine.readers import FakeReader, create_lines, needs_ocr
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import create_picture, create_transparent_picture
from tests.helpers.waiting import wait_until

PICTURE = create_picture()


def read(reader: Any, limits: ReadingLimits | None = None) -> PictureReading:
    (reading,) = BoundedReader(reader, limits).read([PICTURE])
    return reading


def test_lettering_is_cleaned_and_its_boxes_are_those_of_the_picture() -> None:
    class Reader:
        def read(self, image: Image.Image) -> Lettering:
            line = Line(text=" \uff28ow\u200b  to ", confidence=0.9, box=(-1.0, 0.25, 0.5, 7.0))
            return Lettering(lines=(line, Line(text=" \u200b", confidence=0.9, box=(0, 0, 1, 1))))

    reading = read(Reader())
    assert (reading.outcome, reading.failure) == (Outcome.READ, "")
    assert [(line.text, line.box) for line in reading.lines] == [("How to", (0.0, 0.25, 0.5, 1.0))]


def test_a_picture_without_lettering_is_complete() -> None:
    assert read(FakeReader()).outcome is Outcome.NONE


@pytest.mark.parametrize("problem", list(Problem))
def test_what_a_reader_leaves_out_is_incomplete(problem: Problem) -> None:
    reading = read(FakeReader(texts=["harmless"], problem=problem))
    assert (reading.outcome, reading.failure, reading.lines) == (Outcome.INCOMPLETE, problem.value, ())


def test_more_than_the_bounds_is_incomplete_and_not_cut() -> None:
    limits = ReadingLimits(boxes=3, characters=12)
    assert read(FakeReader(texts=["a", "b", "c"]), limits).outcome is Outcome.READ
    assert read(FakeReader(texts=["a", "b", "c", "d"]), limits).failure == "boxes"
    assert read(FakeReader(texts=["a" * 13]), limits).failure == "characters"
    assert read(FakeReader(texts=["a" * 50_000_000]), limits).failure == "characters"


class Careless:
    """Returns what a reader must not return."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def read(self, image: Image.Image) -> Any:
        return self.result


@pytest.mark.parametrize(
    "reader",
    [
        FakeReader(failure=ValueError("secret")),
        FakeReader(failure=SystemError("secret")),
        Careless(None),
        Careless("text"),
        Careless(Lettering(lines=(Line(text="x", confidence=1.0, box=(float("nan"), 0, 1, 1)),))),
        Careless(Lettering(lines=(Line(text="x", confidence=1.0, box=(0, 1)),))),  # type: ignore[arg-type]
        Careless(Lettering(lines=("secret",))),  # type: ignore[arg-type]
    ],
)
def test_a_reader_that_fails_in_any_way_is_a_result_without_content(reader: Any) -> None:
    reading = read(reader)
    assert (reading.outcome, reading.lines) == (Outcome.FAILED, ())
    assert reading.failure.endswith("Error")
    assert "secret" not in repr(reading)


def test_missing_memory_is_the_callers_problem() -> None:
    with pytest.raises(MemoryError):
        read(FakeReader(failure=MemoryError()))


@contextmanager
def hold(reader: FakeReader) -> Iterator[None]:
    """Hold a reader back, and let it go on in the end."""
    reader.gate.clear()
    try:
        yield
    finally:
        reader.gate.set()


@pytest.mark.parametrize("limits", [ReadingLimits(picture_s=0.01, request_s=0.2), ReadingLimits(request_s=0.01)])
def test_a_reader_that_does_not_return_is_not_waited_for(limits: ReadingLimits) -> None:
    reader = FakeReader(texts=["late"])
    bounded = BoundedReader(reader, limits)
    with hold(reader):
        (reading,) = bounded.read([PICTURE])
        assert (reading.outcome, reading.failure) == (Outcome.INCOMPLETE, "time")
        (other,) = bounded.read([create_picture("blue")])  # whose reader never gets a turn
        assert (other.outcome, other.failure) == (Outcome.INCOMPLETE, "time")


def test_a_picture_that_never_got_a_turn_took_no_time() -> None:
    reader = FakeReader()
    bounded = BoundedReader(reader, ReadingLimits(picture_s=0.01, request_s=0.2))
    with hold(reader):
        (begun,) = bounded.read([PICTURE])
        (waiting,) = bounded.read([create_picture("blue")])
    assert begun.seconds > 0
    assert waiting.seconds == 0


def test_the_check_reads_a_sign_anew_each_time_beside_the_pictures() -> None:
    reader = FakeReader()
    bounded = BoundedReader(reader, ReadingLimits(picture_s=240, request_s=0.01))
    assert [bounded.find_failure(), bounded.find_failure()] == [None, None]
    assert reader.sizes == [(64, 48)] * 2
    reader.failure = OSError("secret")
    assert bounded.find_failure() == "the reader: failed (OSError)"


def test_a_reader_that_hangs_fails_the_check() -> None:
    limits = ReadingLimits(picture_s=0.01, request_s=0.2)
    reader = FakeReader()
    bounded = BoundedReader(reader, limits)
    with hold(reader):
        assert bounded.find_failure() == "the reader: incomplete (time)"
        assert bounded.find_failure() == "the reader does not return"
    wait_until(lambda: bounded.find_failure() is None)

    def hang(image: Image.Image) -> Lettering:
        if image.size != (64, 48):
            release.wait(240)
        return Lettering()

    reader, release = FakeReader(), threading.Event()
    reader.read = hang  # type: ignore[method-assign]
    bounded = BoundedReader(reader, limits)
    try:
        bounded.read([PICTURE])  # it occupies the only slot from now on, but the sign is read
        wait_until(lambda: bounded.find_failure() == "the reader does not return")
    finally:
        release.set()
    wait_until(lambda: bounded.find_failure() is None)


@needs_ocr
def test_the_sign_is_read_by_the_real_reader() -> None:
    (line,) = RapidOcrReader().read(draw_sign()).lines
    assert line.text == "EXIT"


def test_a_late_result_is_kept_for_the_next_request() -> None:
    reader = FakeReader(texts=["late"])
    bounded = BoundedReader(reader, ReadingLimits(picture_s=0.01))
    with hold(reader):
        bounded.read([PICTURE])
    wait_until(lambda: bounded.read([PICTURE])[0].kept)
    assert [line.text for line in bounded.read([PICTURE])[0].lines] == ["late"]


def test_a_picture_is_read_once_also_by_requests_at_the_same_time() -> None:
    reader = FakeReader(texts=["once"])
    bounded = BoundedReader(reader)
    with ThreadPoolExecutor(4) as threads:
        with hold(reader):
            waiting = [threads.submit(bounded.read, [PICTURE, PICTURE]) for _ in range(4)]
            assert reader.began.wait(60)
        results = [future.result(60) for future in waiting]
    assert len(reader.sizes) == 1
    assert {line.text for result in results for reading in result for line in reading.lines} == {"once"}
    (kept,) = bounded.read([PICTURE])
    assert (kept.kept, kept.seconds, len(reader.sizes)) == (True, 0.0, 1)


def test_failures_are_not_kept_and_old_results_are_forgotten() -> None:
    reader = FakeReader(failure=ValueError())
    bounded = BoundedReader(reader, kept=2)
    bounded.read([PICTURE])
    reader.failure = None
    assert bounded.read([PICTURE])[0].outcome is Outcome.NONE
    pictures = [create_picture(colour) for colour in ("green", "blue")]
    bounded.read(pictures)
    assert [reading.kept for reading in bounded.read([*pictures, PICTURE])] == [True, True, False]


def test_only_so_many_pictures_are_read_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=60)

    class Reader:
        def read(self, image: Image.Image) -> Lettering:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            both.wait()
            with lock:
                running -= 1
            return Lettering()

    pictures = [create_picture(colour) for colour in ("red", "green", "blue", "white")]
    readings = BoundedReader(Reader(), concurrent=2).read(pictures)
    assert [reading.outcome for reading in readings] == [Outcome.NONE] * 4
    assert most == 2


def test_both_views_are_read_and_equal_lettering_counts_once() -> None:
    picture = create_transparent_picture()
    reader = FakeReader(texts=["same"])
    (reading,) = BoundedReader(reader).read([picture])
    assert (len(reader.sizes), [line.text for line in reading.lines]) == (2, ["same"])
    differing = FakeReader(texts=["on white"], by_colour={(0, 0, 0): ["on black"]})
    (reading,) = BoundedReader(differing).read([picture])
    assert {line.text for line in reading.lines} == {"on black", "on white"}


def test_the_worst_view_counts() -> None:
    class Reader:
        def read(self, image: Image.Image) -> Lettering:
            if image.getpixel((0, 0)) == (0, 0, 0):
                return Lettering(lines=create_lines("x"))
            return Lettering(problem=Problem.TIME)

    (reading,) = BoundedReader(Reader()).read([create_transparent_picture()])
    assert (reading.outcome, reading.failure) == (Outcome.INCOMPLETE, "time")


@pytest.mark.parametrize(("size", "side", "expected"), [((300, 100), 736, (300, 100)), ((100, 2000), 500, (25, 500))])
def test_a_reader_gets_the_picture_without_padding_and_no_larger_than_the_limit(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    image = decode_image(encode_image(Image.new("RGB", size, "red")), fill=(0, 0, 255))
    content = crop_content(image.views[0], image.width, image.height, side=side)
    assert content.size == expected
    assert content.getcolors() == [(expected[0] * expected[1], (255, 0, 0))]
