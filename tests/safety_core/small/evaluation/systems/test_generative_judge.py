from pathlib import Path

import pytest
from PIL import Image
from transformers import PreTrainedTokenizerFast

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.systems import generative_judge
from safety_core.small.evaluation.systems.false_alarms import FalseAlarms
from safety_core.small.evaluation.systems.generative_judge import GenerativeJudge
from safety_core.small.evaluation.systems.lettering_texts import LetteringTexts
from safety_core.small.evaluation.systems.system import NOT_ASKED
from tests.helpers.datasets.real_items import make_item
from tests.helpers.models.tiny import create_model


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that fits into the tiny model's context."""
    monkeypatch.setattr(generative_judge, "QUESTION", '{picture}"{text}" harmful?')


def make_judge(tokenizer: PreTrainedTokenizerFast, asked: float, flagged: float = 0.5) -> GenerativeJudge:
    return GenerativeJudge(
        create_model(tokenizer),
        harmless=["Hello.", "Good evening.", "How are you?", "Which way?"],
        alarms=FalseAlarms(flagged=flagged, refused=0.0),
        lettering=LetteringTexts(None, Path("none.jsonl")),
        asked=asked,
    )


@pytest.mark.usefixtures("shortened")
def test_it_says_how_likely_yes_is_and_flags_as_many_as_it_may(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generative_judge, "TIMED_SHARE", 1.0)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 40), "red").save(picture)
    items = [make_item("Hello."), make_item("Look.", picture=picture), make_item("How are you?"), make_item("x " * 900)]
    scores = list(make_judge(tokenizer, asked=1.0).score(items))
    assert len({score.risk for score in scores[:3]}) == 3
    assert all(score.risk is not None and 0 < score.risk < 1 for score in scores[:3])
    assert all(score.seconds is not None for score in scores[:3])
    assert scores[3].problem == "prompt_too_long"
    strict = list(make_judge(tokenizer, asked=1.0, flagged=1.0).score(items[:1]))
    assert strict[0].decision is Decision.REFUSED


@pytest.mark.usefixtures("shortened")
def test_only_a_share_of_the_items_is_judged(tokenizer: PreTrainedTokenizerFast) -> None:
    items = [make_item(f"{number}") for number in range(20)]
    scores = list(make_judge(tokenizer, asked=0.5).score(items))
    judged = [score for score in scores if score.problem != NOT_ASKED]
    assert 0 < len(judged) < 20
    assert all(score.risk is not None for score in judged)
    assert any(score.seconds is None for score in judged)
