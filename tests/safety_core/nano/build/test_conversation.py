"""What docs/nano.md and its picture show of a conversation is what the nano says now."""

import base64
import re
from io import BytesIO

import pytest
from PIL import Image

from safety_core.conversation_picture import Exchange, format_table, render_svg, run_conversation
from safety_core.engine.load import load_guard
from safety_core.nano.build.conversation import INNOCENT_PROMPT, list_questions
from safety_core.nano.build.examples import EXAMPLES
from tests.helpers.paths import NANO_CHECKPOINT, ROOT

IMAGE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    return run_conversation(load_guard(NANO_CHECKPOINT, device="cpu"), list_questions())


def pixels(png: bytes) -> bytes:
    return Image.open(BytesIO(png)).convert("RGB").tobytes()


def test_one_picture_is_asked_about_twice(exchanges: list[Exchange]) -> None:
    asked = [(one.question.file, one.question.prompt) for one in exchanges]
    assert asked == [
        (EXAMPLES[0].file, EXAMPLES[0].prompt),
        ("weapon.png", INNOCENT_PROMPT),
        *((example.file, example.prompt) for example in EXAMPLES[1:]),
    ]
    assert {one.decision for one in exchanges} == {"allowed", "cautioned", "refused"}


def test_the_page_shows_this_conversation(exchanges: list[Exchange]) -> None:
    assert format_table(exchanges, "../examples") in (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")


def test_the_drawing_of_the_page_is_of_this_conversation(exchanges: list[Exchange]) -> None:
    drawn, shipped = render_svg(exchanges), (ROOT / "docs" / "nano-conversation.svg").read_text(encoding="utf-8")
    # Another zlib packs the same pixels otherwise.
    assert IMAGE.sub("", drawn) == IMAGE.sub("", shipped)
    for one, packed in zip(exchanges, IMAGE.findall(shipped), strict=True):
        assert pixels(base64.b64decode(packed)) == pixels((ROOT / "examples" / str(one.question.file)).read_bytes())
