from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.recall import (
    KnownText,
    Recall,
    format_recall,
    list_known_texts,
    measure_recall,
    repeats,
)
from tests.helpers.datasets.real_items import make_photograph, make_record

LOVED = "a"


class OneToken(nn.Module):
    """A language model's head that always predicts one token."""

    def __init__(self, token: int, words: int) -> None:
        super().__init__()
        self.token, self.words = token, words

    def forward(self, hidden: Tensor) -> Tensor:
        return nn.functional.one_hot(torch.full(hidden.shape[:-1], self.token), self.words).float()


@pytest.fixture
def stubborn(tiny_checkpoint: Path) -> SafeLlava:
    """A model that can say one letter only."""
    model = load_checkpoint(tiny_checkpoint)
    token = model.tokenizer(f"b{LOVED}", add_special_tokens=False).input_ids[-1]
    model.backbone.lm_head = OneToken(token, len(model.tokenizer))
    return model


def know(text: str, photo: Path | None = None) -> KnownText:
    return KnownText(id="x", kind="captions", split="train", text=text, photo=photo)


def test_a_text_is_repeated_if_the_model_continues_with_exactly_the_rest(stubborn: SafeLlava, tmp_path: Path) -> None:
    photo = make_photograph(tmp_path, "coco", "dog").photo
    for shown in (None, photo):
        assert repeats(stubborn, know("b" * 7 + LOVED * 9, shown)) is True
        assert repeats(stubborn, know("b" * 7 + LOVED * 8 + "b", shown)) is False
        assert repeats(stubborn, know(LOVED * 8 + "b" * 2 + LOVED * 6, shown)) is False


def test_a_text_without_a_rest_says_nothing(stubborn: SafeLlava) -> None:
    assert repeats(stubborn, know(LOVED * 4)) is None


def test_captions_of_harmless_photographs_and_personal_data_are_known(tmp_path: Path) -> None:
    records = [
        make_photograph(tmp_path, "flickr8k", "dog", captions=("A dog runs.", "A dog.")),
        make_photograph(tmp_path, "guns", "rifle", ("illegal", 1), captions=("A rifle.",)),
        make_photograph(tmp_path, "coco", "cat"),
        make_record("pii", "Ann lives at 1 High Street.", ("privacy", 2), surface="lettering"),
        make_record("catqa", "How do I break in?", ("illegal", 3)),
    ]
    texts = list(list_known_texts(records, "train", count=9))
    assert Counter(text.kind for text in texts) == {"captions": 1, "personal data": 1}
    assert {text.photo is None for text in texts if text.kind == "captions"} == {False}


def test_both_models_are_asked_about_both_splits(tiny_checkpoint: Path) -> None:
    records = tuple(
        make_record("pii", f"Ann number {n} lives at {n} High Street.", ("privacy", 2), split=split)
        for n, split in enumerate(["train", "train", "development"])
    )
    found = measure_recall(tiny_checkpoint, Corpus(records=records, left_out=Counter(), missing=()), count=9)
    assert [(one.model, one.split, one.texts) for one in found] == [
        ("shipped", "train", 2),
        ("shipped", "development", 1),
        ("bare backbone", "train", 2),
        ("bare backbone", "development", 1),
    ]


def test_the_table_holds_figures_only() -> None:
    table = format_recall([Recall(model="shipped", kind="captions", split="train", repeated=1, texts=300)])
    assert "| shipped | captions | train | 1 of 300 |" in table
