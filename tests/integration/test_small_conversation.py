"""The README's conversation is what safevlm-small decides now; the words of a reply can differ between processors."""

import re
from pathlib import Path

import pytest

from safety_core.conversation_picture import Exchange, format_table, run_conversation
from safety_core.engine.load import load_guard
from safety_core.small.example_questions import list_questions
from tests.helpers.engine.readers import needs_ocr
from tests.helpers.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.small, needs_ocr]

README = (ROOT / "README.md").read_text(encoding="utf-8")
DRAWING = (ROOT / "docs" / "conversation.svg").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def exchanges(small_checkpoint: Path) -> list[Exchange]:
    questions = list_questions(ROOT / "examples" / "small")
    return run_conversation(load_guard(small_checkpoint, device="cpu"), questions)


def drop_reply(row: str) -> str:
    return row.rsplit(" | ", 1)[0]


def test_the_conversation_shows_every_decision(exchanges: list[Exchange]) -> None:
    assert {one.decision for one in exchanges} == {"allowed", "cautioned", "refused"}
    assert all(one.reply for one in exchanges)


def test_the_readme_shows_these_decisions(exchanges: list[Exchange]) -> None:
    rows = format_table(exchanges, "examples/small").splitlines()
    assert all(drop_reply(row) in README for row in rows)
    refused = [row for row, one in zip(rows, exchanges, strict=True) if one.decision == "refused"]
    assert refused
    assert all(row in README for row in refused), "a refusal is not generated, so its words are always the same"


def test_the_drawing_is_of_this_conversation(exchanges: list[Exchange]) -> None:
    labels = re.findall(r">(\w+ · [^<]+)</text>", DRAWING)
    assert labels == [f"{one.decision} · {one.risk}" for one in exchanges]
    assert all(f">{one.question.prompt}</text>" in DRAWING for one in exchanges)
