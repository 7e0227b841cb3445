"""States of texts on disk: the same as the layers', each read once, whatever kills a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.prompt_reader import get_decoder
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.prompt_cache import PromptCache

PROMPTS = [(5, 6, 7), (11,), tuple(range(10, 40))]


@pytest.fixture
def reading_model(reading_checkpoint: Path) -> SafeLlava:
    return load_checkpoint(reading_checkpoint)


@contextmanager
def count_texts(model: SafeLlava) -> Iterator[list[int]]:
    """The number of texts in each pass of the first layer."""
    passes: list[int] = []
    layers: Any = get_decoder(model.backbone).layers
    hook = layers[0].register_forward_pre_hook(lambda _, args: passes.append(len(args[0])))
    try:
        yield passes
    finally:
        hook.remove()


def test_the_cache_gives_what_the_layers_give(reading_model: SafeLlava, tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, reading_model)
    assert cache.fill([*PROMPTS, *PROMPTS, ()]) == len(cache) == 3
    wanted = [PROMPTS[2], (), PROMPTS[0]]
    found, expected = cache.read(wanted), reading_model.prompt_reader.read(wanted)
    assert torch.equal(found.mask_PT, expected.mask_PT)
    torch.testing.assert_close(found.states_PTD, expected.states_PTD, atol=2e-3, rtol=2e-3)


def test_each_text_is_read_once_by_all_runs(reading_model: SafeLlava, tmp_path: Path) -> None:
    with count_texts(reading_model) as passes:
        PromptCache(tmp_path, reading_model).fill(PROMPTS[:2])
        later = PromptCache(tmp_path, reading_model)
        assert PROMPTS[0] in later
        assert PROMPTS[2] not in later
        assert later.fill(PROMPTS) == 1
        assert later.fill(PROMPTS) == 0
    assert sum(passes) == 3


@pytest.mark.parametrize("damage", ["rows", "index", "line"])
def test_what_a_kill_left_incomplete_is_read_again(reading_model: SafeLlava, tmp_path: Path, damage: str) -> None:
    cache = PromptCache(tmp_path, reading_model)
    cache.fill(PROMPTS)
    rows, index = cache.path / "states.f16", cache.path / "texts.txt"
    if damage == "rows":
        rows.write_bytes(rows.read_bytes()[:-10])
    elif damage == "index":
        index.write_text("".join(index.read_text().splitlines(keepends=True)[:-1]))
    else:
        index.write_text(index.read_text()[:-20])
    again = PromptCache(tmp_path, reading_model)
    assert len(again) == 2
    assert again.fill(PROMPTS) == 1
    expected = reading_model.prompt_reader.read(PROMPTS).states_PTD
    torch.testing.assert_close(again.read(PROMPTS).states_PTD, expected, atol=2e-3, rtol=2e-3)


def test_states_beyond_16_bit_are_refused(reading_model: SafeLlava, tmp_path: Path) -> None:
    with torch.no_grad():
        get_decoder(reading_model.backbone).get_parameter("embed_tokens.weight").mul_(1e7)
    with pytest.raises(ConfigError, match="do not fit into 16 bit"):
        PromptCache(tmp_path, reading_model).fill(PROMPTS)


def test_a_text_that_was_never_stored_is_an_error(reading_model: SafeLlava, tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, reading_model)
    with pytest.raises(KeyError):
        cache.read([(1, 2)])
    cache.fill(PROMPTS)
    with pytest.raises(KeyError):
        cache.read([(1, 2)])
