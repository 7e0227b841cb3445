from pathlib import Path

import pytest
from PIL import Image
from transformers import PreTrainedTokenizerFast

from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.policy.policy import Action, Policy
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.replies import generation
from safety_core.small.evaluation.replies.generation import (
    choose_reply_items,
    generate_bare_replies,
    generate_guarded_replies,
)
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.real_items import make_item
from tests.helpers.models.tiny import create_model


@pytest.fixture
def items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    monkeypatch.setattr(generation, "MAX_TOKENS", 4)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 40), "red").save(picture)
    return [
        make_item("What is it?"),
        make_item("Look.", "harmful_photo", picture=picture),
        make_item("word " * 3000),
    ]


def test_the_bare_model_replies_to_words_and_photographs(tokenizer: PreTrainedTokenizerFast, items: list[Item]) -> None:
    replies = list(generate_bare_replies(create_model(tokenizer), items))
    assert [reply.problem for reply in replies] == [None, None, "prompt_too_long"]
    assert replies[0].text is not None
    assert replies[1].text is not None
    assert list(generate_bare_replies(create_model(tokenizer), items)) == replies, "greedy"


@pytest.mark.parametrize(("action", "threshold"), [(Action.REFUSE, 0.0), (Action.ALLOW, 0.0)])
def test_the_guard_refuses_before_any_reply(
    tokenizer: PreTrainedTokenizerFast, items: list[Item], action: Action, threshold: float
) -> None:
    base = Policy.create_default(DEFAULT_TAXONOMY)
    policy = Policy(
        thresholds={name: dict.fromkeys(levels, threshold) for name, levels in base.thresholds.items()},
        actions={name: dict.fromkeys(levels, action) for name, levels in base.actions.items()},
        enabled=base.enabled,
        refusals=base.refusals,
    )
    guard = Guard(create_model(tokenizer), policy, limits=GuardLimits(reply_window=0))
    replies = list(generate_guarded_replies(guard, items))
    assert [reply.text is None for reply in replies[:2]] == [action is Action.REFUSE] * 2
    assert replies[2].problem == "prompt_too_long"


def test_requests_are_chosen_from_both_columns_and_always_the_same() -> None:
    items = [make_item(f"{n}", column) for column in ("harmful", "harmful_photo", "reverse") for n in range(30)]
    chosen = choose_reply_items(items, 5)
    assert [item.columns[0] for item in chosen] == ["harmful"] * 5 + ["harmful_photo"] * 5
    assert choose_reply_items(items[::-1], 5) == chosen
