"""What README and picture show of a conversation is what the shipped checkpoint says now."""

import base64
import re
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from safety_core.engine.load import load_guard
from safety_core.nano.build.conversation_picture import INNOCENT_PROMPT, ExampleExchange, render_svg, run_conversation
from safety_core.nano.build.examples import EXAMPLES

ROOT = Path(__file__).parents[4]
IMAGE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


@pytest.fixture(scope="module")
def exchanges() -> list[ExampleExchange]:
    return run_conversation(load_guard(ROOT / "weights" / "safevlm-nano", device="cpu"))


def pixels(png: bytes) -> bytes:
    return Image.open(BytesIO(png)).convert("RGB").tobytes()


def test_one_picture_is_asked_about_twice(exchanges: list[ExampleExchange]) -> None:
    asked = [(one.file, one.prompt) for one in exchanges]
    assert asked == [
        (EXAMPLES[0].file, EXAMPLES[0].prompt),
        ("weapon.png", INNOCENT_PROMPT),
        *((example.file, example.prompt) for example in EXAMPLES[1:]),
    ]
    assert {one.decision for one in exchanges} == {"allowed", "cautioned", "refused"}


def test_the_readme_shows_this_conversation(exchanges: list[ExampleExchange]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = "\n".join(
        f"| ![{one.file}](examples/{one.file}) `{one.file}` "
        f"| {one.prompt} | {one.decision} ({one.risk}) | {one.reply} |"
        for one in exchanges
    )
    assert rows in readme


def test_the_shipped_drawing_is_of_this_conversation(exchanges: list[ExampleExchange]) -> None:
    drawn, shipped = render_svg(exchanges), (ROOT / "docs" / "conversation.svg").read_text(encoding="utf-8")
    # Another zlib packs the same pixels otherwise.
    assert IMAGE.sub("", drawn) == IMAGE.sub("", shipped)
    for one, packed in zip(exchanges, IMAGE.findall(shipped), strict=True):
        assert pixels(base64.b64decode(packed)) == pixels((ROOT / "examples" / one.file).read_bytes())


def test_a_drawing_needs_nothing_else_and_takes_any_words(exchanges: list[ExampleExchange]) -> None:
    odd = ExampleExchange(
        file="x.png", picture=exchanges[0].picture, prompt="<script>", decision="allowed", risk="a & b", reply="< " * 90
    )
    root = ElementTree.fromstring(render_svg([odd]))
    texts = [element.text for element in root.iter() if element.tag.endswith(("text", "tspan"))]
    assert "<script>" in texts
    assert "allowed · a & b" in texts
    assert sum(text.count("<") for text in texts[2:] if text) == 90, "long replies go on in the next line"
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert all(link.startswith("data:") for link in links)
