import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from safety_core.conversation_picture import Exchange, Question, format_table, render_svg, run_conversation
from safety_core.engine.load import load_guard
from tests.helpers.paths import ROOT

PHOTOGRAPH = (ROOT / "examples" / "small" / "chelsea.jpg").read_bytes()
DRAWING = (ROOT / "examples" / "weapon.png").read_bytes()


def answer(
    question: Question, reply: str = "Fine.", decision: str = "allowed", risk: str = "safe, level 0"
) -> Exchange:
    return Exchange(question=question, decision=decision, risk=risk, reply=reply)


def test_a_drawing_needs_nothing_else_and_takes_any_words() -> None:
    odd = answer(Question(prompt="<script>", file="x.png", picture=DRAWING), reply="< " * 90, risk="a & b")
    root = ElementTree.fromstring(render_svg([odd]))
    texts = [element.text for element in root.iter() if element.tag.endswith(("text", "tspan"))]
    assert "<script>" in texts
    assert "allowed · a & b" in texts
    assert sum(text.count("<") for text in texts[2:] if text) == 90, "long replies go on in the next line"
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert all(link.startswith("data:") for link in links)


@pytest.mark.parametrize(("picture", "kind"), [(PHOTOGRAPH, "jpeg"), (DRAWING, "png")], ids=["jpeg", "png"])
def test_a_picture_keeps_its_format(picture: bytes, kind: str) -> None:
    (found,) = re.findall(r"data:image/(\w+);", render_svg([answer(Question(prompt="?", file="x", picture=picture))]))
    assert found == kind


def test_a_question_without_a_picture_says_so() -> None:
    drawn = render_svg([answer(Question(prompt="Hello"))])
    assert "no picture" in drawn
    assert "<image" not in drawn


def test_a_table_has_one_line_for_each_question_even_if_a_reply_has_several() -> None:
    with_picture = answer(Question(prompt="What is it?", file="cat.jpg", picture=PHOTOGRAPH), reply="A\n\ncat.")
    rows = format_table([with_picture, answer(Question(prompt="Hello"))], "pictures").splitlines()
    assert rows == [
        "| ![cat.jpg](pictures/cat.jpg) `cat.jpg` | What is it? | allowed (safe, level 0) | A cat. |",
        "|  | Hello | allowed (safe, level 0) | Fine. |",
    ]


def test_every_question_is_asked_by_itself(tiny_checkpoint: Path) -> None:
    guard = load_guard(tiny_checkpoint, device="cpu")
    questions = [Question(prompt="What is it?", file="x.png", picture=DRAWING), Question(prompt="What is it?")]
    both = run_conversation(guard, questions)
    assert [one.question for one in both] == questions
    assert both == [*run_conversation(guard, questions[:1]), *run_conversation(guard, questions[1:])]
