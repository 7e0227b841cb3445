import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from safety_core.errors import CheckpointError, ConfigError
from safety_core.model.checkpoint.checkpoint import read_spec, verify
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.spec import BackboneRef
from safety_core.training.config import TrainConfig
from safety_core.training.run import train
from safety_core.training.run_folder import START_DIR
from safety_core.training.starting_checkpoint import (
    change_shape,
    choose_template,
    create_fresh_checkpoint,
    find_starting_checkpoint,
    pick_training_device,
)
from tests.helpers.models.chat_templates import CHATML
from tests.helpers.models.llava15 import CHAT_TEMPLATE as VICUNA
from tests.helpers.training_runs import read_weights

ConfigFor = Callable[..., TrainConfig]


def write_backbone(like: Path, folder: Path, chat_template: str | None) -> BackboneRef:
    """Copy a backbone, and give it a chat template."""
    shutil.copytree(like, folder / "backbone")
    if chat_template is not None:
        text = json.dumps({"chat_template": chat_template})
        (folder / "backbone" / "chat_template.json").write_text(text, encoding="utf-8")
    return BackboneRef(path=str(folder / "backbone"))


def test_a_checkpoint_brings_its_own_taxonomy(config_for: ConfigFor, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"taxonomy: .* contains its own"):
        train(config_for(taxonomy=str(tmp_path / "t.json")))


def test_stage_2_needs_a_checkpoint(config_for: ConfigFor, tiny_backbone: Path) -> None:
    with pytest.raises(ConfigError, match="stage 2 continues from a checkpoint"):
        train(config_for(backbone=str(tiny_backbone), stage=2))


def test_half_precision_needs_a_gpu(config_for: ConfigFor) -> None:
    assert pick_training_device(config_for(precision="bf16")) == torch.device("cpu")
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        pick_training_device(config_for(precision="fp16"))
    with pytest.raises(ConfigError, match="'toaster' is not a device"):
        pick_training_device(config_for(device="toaster"))


def test_a_checkpoint_is_its_own_start(config_for: ConfigFor, untrained_checkpoint: Path, tmp_path: Path) -> None:
    assert find_starting_checkpoint(config_for(stage=2), tmp_path) == untrained_checkpoint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [{"hints": "h.json"}, {"safety": {"use_head": False}}, {"revision": "main"}, {"template": "vicuna"}],
    ids=lambda change: next(iter(change)),
)
def test_nothing_that_a_checkpoint_determines_can_be_changed(
    config_for: ConfigFor, tmp_path: Path, change: dict[str, Any]
) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=rf"^{name}: .* is a checkpoint and contains its own"):
        find_starting_checkpoint(config_for(**change), tmp_path)


def test_a_bare_backbone_gets_modules_once(config_for: ConfigFor, tiny_backbone: Path, tmp_path: Path) -> None:
    config = config_for(backbone=str(tiny_backbone), safety={"num_safety_tokens": 3}, seed=1)
    start = find_starting_checkpoint(config, tmp_path)
    spec = verify(start).spec
    assert (start, spec.trained, spec.config.num_safety_tokens) == (tmp_path / START_DIR, False, 3)
    before = read_weights(start)
    assert find_starting_checkpoint(config.model_copy(update={"seed": 2}), tmp_path) == start
    assert all(torch.equal(tensor, before[name]) for name, tensor in read_weights(start).items())


def test_a_fresh_checkpoint_depends_on_its_seed(tiny_backbone: Path, tmp_path: Path) -> None:
    one, same, other = (
        read_weights(create_fresh_checkpoint(str(tiny_backbone), tmp_path / name, seed=seed))
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not torch.equal(one["llm_tokens_SD"], other["llm_tokens_SD"])


def test_a_fresh_checkpoint_takes_names_hints_and_shape_from_its_arguments(tiny_backbone: Path, tmp_path: Path) -> None:
    taxonomy = {"types": ["fine", "odd"], "levels": ["none", "some", "all"], "safe_type": "fine"}
    for name, content in (("taxonomy", taxonomy), ("hints", {"odd": {"some": "Mind the odd."}})):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    out = create_fresh_checkpoint(
        str(tiny_backbone),
        tmp_path / "out",
        taxonomy=tmp_path / "taxonomy",
        hints=tmp_path / "hints",
        paper=True,
        changes={"head": {"num_heads": 4}},
    )
    spec = read_spec(out)
    assert (spec.taxonomy.types, spec.hints) == (("fine", "odd"), {"odd": {1: "Mind the odd."}})
    assert (spec.config.num_safety_tokens, spec.config.head.pooling, spec.config.head.num_heads) == (
        64,
        "first_token",
        4,
    )
    with pytest.raises(ConfigError, match="odd"):
        create_fresh_checkpoint(str(tiny_backbone), tmp_path / "other", hints=tmp_path / "hints")
    with pytest.raises(CheckpointError, match="exists already"):
        create_fresh_checkpoint(str(tiny_backbone), out)
    assert not (tmp_path / "other").exists()


def test_fields_of_a_shape_change_at_any_depth_and_unknown_ones_are_refused() -> None:
    default = SafetyConfig.create_default(BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2))
    changed = change_shape(default, {"use_llm_tokens": False, "head": {"dropout": 0.5}})
    assert (changed.use_llm_tokens, changed.head.dropout) == (False, 0.5)
    assert change_shape(changed, {"use_llm_tokens": True, "head": {"dropout": default.head.dropout}}) == default
    with pytest.raises(ConfigError, match=r"config\.head\.depth: unknown field"):
        change_shape(default, {"head": {"depth": 3}})


@pytest.mark.parametrize(
    ("template", "chat_template", "derived"),
    [
        ("auto", None, False),
        ("vicuna", None, False),
        ("vicuna", CHATML, False),
        ("auto", CHATML, True),
        ("chat", CHATML, True),
        ("chat", VICUNA, False),
    ],
)
def test_the_format_is_the_tokenizers_unless_that_is_llavas_own(
    tiny_backbone: Path, tmp_path: Path, template: str, chat_template: str | None, derived: bool
) -> None:
    found = choose_template(write_backbone(tiny_backbone, tmp_path, chat_template), template)
    assert (found is not None) == derived
    assert found is None or found.generate.endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize(
    ("template", "chat_template", "message"),
    [
        ("plain", None, r"must be one of \['auto', 'vicuna', 'chat'\], got 'plain'"),
        ("chat", None, "the backbone has no chat template; name the format"),
        ("auto", "{{ messages[0]['role'] }}", "the tokenizer's chat template is not supported.*; name the format"),
    ],
)
def test_a_format_that_cannot_be_determined_is_an_error(
    tiny_backbone: Path, tmp_path: Path, template: str, chat_template: str | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^template: {message}"):
        choose_template(write_backbone(tiny_backbone, tmp_path, chat_template), template)
