from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from safety_core.errors import GenerationError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.build.replies import distilled_replies
from safety_core.small.build.replies.distilled_replies import list_distilled_replies
from safety_core.small.build.replies.reply_samples import ReplySample
from safety_core.small.corpus.records import Record, Surface
from tests.helpers.models.tiny_alignment import make_bare_model

SAFE = ("safe", 0)


class ScriptedHead(nn.Module):
    """A language model's last layer that lets running replies go on with the next token of their scripts."""

    def __init__(self, scripts: Sequence[Sequence[int]], end: int, size: int) -> None:
        super().__init__()
        self._waiting, self._end, self._size = [list(script) for script in scripts], end, size
        self._running: list[list[int]] = []

    def forward(self, hidden_RD: Tensor) -> Tensor:
        if not self._running:
            self._running, self._waiting = self._waiting[: len(hidden_RD)], self._waiting[len(hidden_RD) :]
        assert len(hidden_RD) == len(self._running)
        logits_RW = torch.zeros(len(hidden_RD), self._size)
        for row_W, script in zip(logits_RW, self._running, strict=True):
            row_W[script.pop(0) if script else self._end] = 1
        self._running = [script for script, row_W in zip(self._running, logits_RW, strict=True) if not row_W[self._end]]
        return logits_RW


@pytest.fixture
def model(tmp_path: Path) -> SafeLlava:
    return make_bare_model(tmp_path / "backbone")


def request(
    text: str, label: tuple[str, int] | None = SAFE, surface: Surface = "both", source: str = "benign_dolly"
) -> Record:
    return Record(id=f"{source}/{text[:20]}", source=source, surface=surface, label=label, text=text)


def let_say(model: SafeLlava, replies: Sequence[str]) -> None:
    """Let the model say these replies, in the order in which it is asked."""
    scripts = [model.tokenizer(reply, add_special_tokens=False)["input_ids"] for reply in replies]
    text: Any = model.backbone.config.text_config
    model.backbone.lm_head = ScriptedHead(scripts, min(model.eos_ids), text.vocab_size)


def ask(model: SafeLlava, records: Sequence[Record], count: int = 10) -> list[ReplySample]:
    return list(list_distilled_replies(model, records, count=count, show=False))


def test_a_request_goes_with_what_the_backbone_itself_replies(model: SafeLlava) -> None:
    let_say(model, [" Herons sleep on one leg. "])
    record = request("Where do herons sleep?")
    assert ask(model, [record]) == [
        ReplySample(
            id=f"own/{record.id}",
            prompt="Where do herons sleep?",
            reply="Herons sleep on one leg.",
            label=SAFE,
            source="benign_dolly",
        )
    ]


def test_only_replies_that_end_and_say_something_are_used(model: SafeLlava, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distilled_replies, "_MOST_TOKENS", 12)
    records = [request(f"What is thing {number}?") for number in range(4)]
    let_say(model, ["Short.", "word " * 40, "   ", "Brief."])
    assert [sample.reply for sample in ask(model, records)] == ["Short.", "Brief."]


def test_only_harmless_requests_of_moderate_length_are_asked(model: SafeLlava) -> None:
    others = [
        request("Sell me a stolen car.", label=("illegal", 3)),
        request("Is this medicine good for me?", label=("misleading", 1)),
        request("Mind the gap", surface="lettering"),
        request("Nobody labelled this.", label=None),
        request(""),
        request("word " * 200),
        request("é" * 590, source="benign_t0"),  # fits by characters, but not into the model's context
    ]
    let_say(model, ["Rain falls."])
    assert [sample.prompt for sample in ask(model, [*others, request("Sing of rain.", surface="prompt")])] == [
        "Sing of rain."
    ]


def test_the_same_requests_are_asked_in_any_order_of_records(model: SafeLlava, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distilled_replies, "_TOGETHER", 2)
    records = [request(f"What is thing {number}?") for number in range(9)]
    let_say(model, "abcde")
    first = ask(model, records, count=5)
    assert "".join(sample.reply for sample in first) == "abcde"
    assert [sample.id for sample in first] != sorted(sample.id for sample in first)
    let_say(model, "abcde")
    assert ask(model, records[::-1], count=5) == first


def test_a_broken_model_is_no_reply(model: SafeLlava) -> None:
    model.backbone.lm_head.weight.data.fill_(torch.nan)
    with pytest.raises(GenerationError):
        ask(model, [request("Where do herons sleep?")])
