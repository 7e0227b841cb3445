from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.untrained import create_untrained
from safety_core.training.batches.feature_cache import FeatureCache
from safety_core.training.batches.vision_sources import LiveImages
from safety_core.training.starting_checkpoint import change_shape
from tests.helpers.models.tiny import make_backbone, make_image_processor, make_siglip_backbone


@contextmanager
def counting_tower(model: SafeLlava) -> Iterator[list[int]]:
    """How many pictures each call of the tower saw."""
    calls: list[int] = []
    hook = model.backbone.model.vision_tower.register_forward_hook(
        lambda _module, inputs, _output: calls.append(len(inputs[0]))
    )
    try:
        yield calls
    finally:
        hook.remove()


def test_the_cache_gives_what_the_tower_gives(model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path) -> None:
    table = build_image_table(samples)
    cache = FeatureCache(tmp_path, model)
    assert cache.fill(table) == len(table.refs) == 12
    rows = [5, 0, 5]
    cached = cache.bind(table).fetch(rows).resolve(model, project=True)
    live = LiveImages(table, model).fetch(rows).resolve(model, project=True)
    assert len(cached) == len(live) == 3
    for found, expected in zip((*cached.layers, cached.projected_BPD), (*live.layers, live.projected_BPD), strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("strategy", ["full", "default"])
@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_every_tower_can_be_cached(
    tower: str,
    strategy: Literal["default", "full"],
    tokenizer: PreTrainedTokenizerFast,
    samples: tuple[Sample, ...],
    tmp_path: Path,
) -> None:
    if tower == "siglip":
        backbone = make_siglip_backbone(tokenizer, strategy)
    else:
        backbone = make_backbone(tokenizer)
        backbone.config.vision_feature_select_strategy = strategy
    model = create_untrained(backbone, tokenizer=tokenizer, image_processor=make_image_processor())
    table = build_image_table(samples)
    cache = FeatureCache(tmp_path, model)
    cache.fill(table)
    cached = cache.bind(table).fetch([5, 0]).resolve(model, project=True)
    live = LiveImages(table, model).fetch([5, 0]).resolve(model, project=True)
    assert cached.projected_BPD.shape == live.projected_BPD.shape == (2, model.projected_positions, 32)
    for found, expected in zip((*cached.layers, cached.projected_BPD), (*live.layers, live.projected_BPD), strict=True):
        torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)
    prompt = model.prompts.encode([Turn(role="user", text="What?")], 1)
    embedded = model.build_inputs([prompt], live[:1], [1]).embeds_BTD
    assert embedded.shape[1] == len(prompt.input_ids) - 1 + model.positions_per_image


def test_the_tower_runs_once_for_each_picture(model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path) -> None:
    table = build_image_table(samples)
    with counting_tower(model) as calls:
        FeatureCache(tmp_path, model).fill(table)
        assert sum(calls) == len(table.refs)
        again = FeatureCache(tmp_path, model)
        assert again.fill(table) == 0
        again.bind(table).fetch([0, 1]).resolve(model, project=True)
        assert sum(calls) == len(table.refs)


def test_a_kill_while_writing_costs_the_last_rows_only(
    model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    table = build_image_table(samples)
    whole = FeatureCache(tmp_path, model)
    whole.fill(table)
    expected = whole.bind(table).fetch([0, 11]).layers[0]
    features, digests = whole.path / "features.f16", whole.path / "digests.txt"
    features.write_bytes(features.read_bytes()[:-10])
    digests.write_text(digests.read_text() + "half a dig", encoding="ascii")
    cut = FeatureCache(tmp_path, model)
    assert len(cut) == 11
    assert cut.fill(table) == 1
    torch.testing.assert_close(cut.bind(table).fetch([0, 11]).layers[0], expected)


def test_a_cache_is_read_while_another_run_appends_to_it(
    model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    table = build_image_table(samples)
    cache = FeatureCache(tmp_path, model)
    cache.fill(table)
    expected = cache.bind(table).fetch([0, 11]).layers[0]
    with (cache.path / "features.f16").open("ab") as rows:
        rows.write(b"half a row")
    torch.testing.assert_close(cache.bind(table).fetch([0, 11]).layers[0], expected)


def test_what_another_run_left_meanwhile_is_taken(
    model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path
) -> None:
    table = build_image_table(samples)
    early, other = FeatureCache(tmp_path, model), FeatureCache(tmp_path, model)
    other.fill(table)
    with counting_tower(model) as calls:
        assert early.fill(table) == 0
    assert calls == []
    torch.testing.assert_close(early.bind(table).fetch([0, 11]).layers[0], other.bind(table).fetch([0, 11]).layers[0])


def test_another_tower_has_another_cache(model: SafeLlava, tmp_path: Path) -> None:
    before = FeatureCache(tmp_path, model).path
    assert FeatureCache(tmp_path, model).path == before
    with torch.no_grad():
        next(model.backbone.model.vision_tower.parameters()).add_(1.0)
    assert FeatureCache(tmp_path, model).path != before


@pytest.mark.parametrize(("layers", "stored"), [([-1, 0], True), ([-1, -2], False), ([0, 1, 2], False)])
def test_the_projection_is_stored_where_it_cannot_be_derived(
    tiny_backbone: Path,
    samples: tuple[Sample, ...],
    tmp_path: Path,
    model: SafeLlava,
    layers: list[int],
    stored: bool,
) -> None:
    default = SafetyConfig.create_default(model.dims)
    checkpoint = init_checkpoint(
        tiny_backbone, tmp_path / "two", config=change_shape(default, {"vision_layers": layers}), seed=1
    )
    two = load_checkpoint(checkpoint, allow_untrained=True)
    table = build_image_table(samples)
    cache = FeatureCache(tmp_path / "cache", two)
    cache.fill(table)
    cached = cache.bind(table).fetch([3]).resolve(two, project=True)
    live = LiveImages(table, two).fetch([3]).resolve(two, project=True)
    assert len(cached.layers) == len(layers)
    assert (cache.bind(table).fetch([3]).projected_BPD is not None) == stored
    torch.testing.assert_close(cached.projected_BPD, live.projected_BPD, rtol=2e-3, atol=2e-3)
    assert cache.path.name != FeatureCache(tmp_path / "cache", model).path.name


def test_without_need_nothing_is_projected(model: SafeLlava, samples: tuple[Sample, ...], tmp_path: Path) -> None:
    table = build_image_table(samples)
    cache = FeatureCache(tmp_path, model)
    cache.fill(table)
    features = cache.bind(table).fetch([0, 1]).resolve(model, project=False)
    assert len(features) == 2
    assert features.projected_BPD.numel() == 0


def test_an_unreadable_picture_stops_the_filling(model: SafeLlava, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    sample = Sample(id="x", images=(bad,), conversation=(), label=RiskLabel(type=0, level=0), file="data.jsonl", line=3)
    with pytest.raises(SampleError, match=r"data\.jsonl:3: image"):
        FeatureCache(tmp_path / "cache", model).fill(build_image_table([sample]))


def test_dims_of_the_fixture_are_small(model: SafeLlava) -> None:
    assert isinstance(model.dims, BackboneDims)
    assert model.dims.patches == 16
