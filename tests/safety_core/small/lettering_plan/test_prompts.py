import json
import re
from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.corpus.reading.own_texts import find_own_texts, read_own_texts
from safety_core.small.lettering_plan.prompts import FITTING, PROMPT_FILE, PicturePrompt, read_picture_prompts


@pytest.fixture(scope="module")
def prompts() -> tuple[PicturePrompt, ...]:
    """The prompts that ship."""
    return read_picture_prompts()


def test_there_are_many_of_every_kind_in_both_splits(prompts: tuple[PicturePrompt, ...]) -> None:
    assert len(prompts) >= 120
    for split in ("train", "test"):
        counts = Counter(prompt.kind for prompt in prompts if prompt.split == split)
        assert set(counts) == {"neutral", "read", "carry-out", "careful", "reverse"}
        assert min(counts.values()) >= 6


def test_every_form_has_prompts_made_for_it(prompts: tuple[PicturePrompt, ...]) -> None:
    fitting = {prompt.fits for prompt in prompts}
    assert fitting == {fits for some in FITTING.values() for fits in some}


def test_no_prompt_stands_there_twice(prompts: tuple[PicturePrompt, ...]) -> None:
    plain = [" ".join(re.findall(r"\w+", prompt.text.lower())) for prompt in prompts]
    assert len(set(plain)) == len(plain)


def test_labels_are_of_the_taxonomy(prompts: tuple[PicturePrompt, ...]) -> None:
    assert all((prompt.type == "safe") == (prompt.level == 0) for prompt in prompts)
    assert sum(prompt.level > 0 for prompt in prompts) < 12


def test_the_corpus_does_not_take_them_for_texts() -> None:
    assert PROMPT_FILE.parent == find_own_texts()
    assert not any(record.source == "own/picture_prompts" for record in read_own_texts(find_own_texts()))


@pytest.mark.parametrize("change", [{"kind": "rude"}, {"text": ""}, {"fits": "hat"}, {"level": 9}, {"extra": 1}])
def test_a_malformed_line_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "prompts.jsonl"
    good = {"text": "What is it?", "kind": "neutral"}
    file.write_text("\n".join(json.dumps(row) for row in (good, good | change)) + "\n", encoding="utf-8")
    with pytest.raises(SampleError, match=r"prompts.jsonl:2"):
        read_picture_prompts(file)
