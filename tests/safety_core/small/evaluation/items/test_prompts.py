import json
from typing import get_args

import pytest

from safety_core.small.corpus.reading.own_texts import find_own_texts
from safety_core.small.evaluation.items.prompts import PromptKind, list_prompts


@pytest.mark.parametrize("kind", get_args(PromptKind))
def test_development_and_test_have_prompts_of_their_own(kind: PromptKind) -> None:
    tested, tuned = list_prompts(kind, "test"), list_prompts(kind, "development")
    assert len(set(tested)) == len(tested) >= 10
    assert len(set(tuned)) == len(tuned) >= 5
    assert not set(tested) & set(tuned)


def test_nothing_is_trained_on_these_prompts() -> None:
    measured = {
        text.casefold().strip(" .?!")
        for kind in get_args(PromptKind)
        for split in ("test", "development")
        for text in list_prompts(kind, split)
    }
    trained = {
        json.loads(line)["text"].casefold().strip(" .?!")
        for file in find_own_texts().glob("*.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
    }
    assert trained
    assert not measured.intersection(trained)
