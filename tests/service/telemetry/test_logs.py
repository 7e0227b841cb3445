"""Log lines: what a collector gets is JSON, what a terminal gets can be read."""

import json
import logging
import warnings
from io import BytesIO

import pytest
from PIL.PngImagePlugin import PngImageFile

from service.telemetry.logs import FIELDS, JsonFormatter, TextFormatter, set_up_logging
from tests.helpers.images.encoding import encode_png
from tests.helpers.images.png_files import build_png_chunk


def record(message: str = "request", **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "service.x", "levelno": 20, "levelname": "INFO", "msg": message, "created": 0.5}
    )
    setattr(made, FIELDS, fields)
    return made


def test_a_line_is_one_json_object_with_the_fields_of_the_call() -> None:
    line = JsonFormatter().format(record("two\nlines", status=200, images=["ä"]))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("info", "service.x", "two\nlines")
    assert found["time"].startswith("1970-01-01T00:00:00.")
    assert (found["status"], found["images"]) == (200, ["ä"])


def test_no_field_hides_what_every_line_has() -> None:
    line = json.loads(JsonFormatter().format(record(level=3, logger="x", time=0, status=200)))
    assert (line["level"], line["logger"], line["message"], line["status"]) == ("info", "service.x", "request", 200)
    assert line["time"].startswith("1970-01-01T")


def test_a_broken_picture_warns_nobody() -> None:
    data = encode_png()
    no_frames = data[:33] + build_png_chunk(b"acTL", bytes(8)) + data[33:]
    with pytest.warns(UserWarning, match="APNG"):
        PngImageFile(BytesIO(no_frames))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        set_up_logging("warning")
        PngImageFile(BytesIO(no_frames))
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["of somebody else"]


def test_a_line_for_a_terminal_says_the_same() -> None:
    line = TextFormatter().format(record(status=200, error="overloaded"))
    assert line.endswith('INFO service.x: request status=200 error="overloaded"')


def test_an_exception_comes_along() -> None:
    made = record()
    try:
        raise ValueError("why")
    except ValueError as exc:
        made.exc_info = (type(exc), exc, exc.__traceback__)
    assert "ValueError: why" in json.loads(JsonFormatter().format(made))["exception"]
