import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig
from PIL import Image

from bench.contenders.reference import generate
from safety_core.errors import CheckpointError, ConfigError, MissingBackboneError, UntrainedError
from safety_core.model.checkpoint.adapter import attach_adapter, get_adapter
from safety_core.model.checkpoint.checkpoint import (
    ADAPTER_DIR,
    BACKBONE_DIR,
    POLICY_FILE,
    init_checkpoint,
    load_checkpoint,
    save_checkpoint,
    update_policy,
    update_score_calibration,
    verify,
    verify_loadable,
)
from safety_core.model.checkpoint.sha256_manifest import MANIFEST
from safety_core.model.config import BackboneDims, HeadConfig, SafetyConfig
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.policy import Policy
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from tests.helpers.calibration.guarantees import GUARANTEE
from tests.helpers.models.kernels import use_portable_kernels
from tests.helpers.models.reference import as_turns, assess
from tests.helpers.models.tiny import make_checkpoint, make_unfetched

TRAINED: dict[str, Any] = {
    "policy": Policy.create_default(DEFAULT_TAXONOMY),
    "provenance": {"trained": True},
    "model_card": "# Card\n",
}


def reply(model: SafeLlava) -> tuple[int, ...]:
    return generate(model, [model.prompts.encode(as_turns("hi"), 0)], None, [0], max_new_tokens=6)[0].token_ids


@pytest.fixture(scope="module")
def untrained(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init_checkpoint(tiny_backbone, tmp_path_factory.mktemp("init") / "fresh")


# --- init ----------------------------------------------------------------------------------------------------------


def test_init_reads_the_backbones_config_and_refers_to_its_weights(untrained: Path, tiny_backbone: Path) -> None:
    report = verify(untrained)
    assert not report.spec.trained
    assert not report.ships_backbone
    assert report.spec.backbone.make_absolute(untrained).location == str(tiny_backbone.resolve())
    assert report.spec.dims.llm_width == 32


def test_untrained_modules_load_only_when_told_so(untrained: Path) -> None:
    with pytest.raises(UntrainedError, match="never trained"):
        load_checkpoint(untrained)
    assert load_checkpoint(untrained, allow_untrained=True).config == verify(untrained).spec.config


def test_a_backbone_that_is_gone_is_no_damage(tiny_backbone: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(tiny_backbone, tmp_path / "other" / "backbone")
    path = init_checkpoint(elsewhere, tmp_path / "out")
    shutil.rmtree(elsewhere)
    with pytest.raises(MissingBackboneError, match=re.escape(f"safevlm parts fetch --out {elsewhere.parent}")):
        load_checkpoint(path, allow_untrained=True)


def test_untrained_modules_are_no_reason_to_fetch_a_backbone(tiny_backbone: Path, tmp_path: Path) -> None:
    fresh = init_checkpoint(tiny_backbone, tmp_path / "fresh", include_backbone=True)
    unfetched = make_unfetched(fresh, tmp_path / "unfetched")
    with pytest.raises(UntrainedError, match="never trained"):
        verify_loadable(unfetched)
    with pytest.raises(MissingBackboneError, match="safevlm parts fetch"):
        verify_loadable(unfetched, allow_untrained=True)
    assert verify_loadable(fresh, allow_untrained=True) == verify(fresh)


def test_untrained_modules_say_every_class_alike(untrained: Path, pictures: list[Image.Image]) -> None:
    model = load_checkpoint(untrained, allow_untrained=True)
    joint = assess(model, [pictures[:1]], ["hi"]).pairs[0].joint
    assert joint is not None
    assert joint.levels == (0.25,) * 4


@pytest.mark.parametrize(
    "change",
    [
        {"head": HeadConfig.create_reference()},
        {"use_head": False},
        {"use_llm_tokens": False},
        {"vision_layers": (-1, -2)},
        {"num_safety_tokens": 0},
    ],
    ids=str,
)
def test_every_switch_survives_the_disk(tiny_backbone: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    dims = BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2)
    config = replace(SafetyConfig.create_default(dims), **change)
    path = init_checkpoint(tiny_backbone, tmp_path / "out", config=config)
    assert load_checkpoint(path, allow_untrained=True).config == config


def test_init_is_seeded(tiny_backbone: Path, tmp_path: Path) -> None:
    first, again, other = (
        load_checkpoint(init_checkpoint(tiny_backbone, tmp_path / str(index), seed=seed), allow_untrained=True)
        for index, seed in enumerate((1, 1, 2))
    )
    tokens = [model.safety.llm_tokens_SD for model in (first, again, other)]
    assert tokens[0] is not None
    assert tokens[1] is not None
    assert tokens[2] is not None
    assert torch.equal(tokens[0], tokens[1])
    assert not torch.equal(tokens[0], tokens[2])


def test_init_may_carry_the_backbone(tiny_backbone: Path, tmp_path: Path) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "out", include_backbone=True)
    assert verify(path).ships_backbone
    assert (path / BACKBONE_DIR / "tokenizer.json").is_file()


def test_a_config_that_does_not_fit_the_backbone_leaves_nothing_behind(tiny_backbone: Path, tmp_path: Path) -> None:
    dims = BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2)
    config = replace(SafetyConfig.create_default(dims), vision_layers=(9,))
    with pytest.raises(ConfigError, match="vision_layers"):
        init_checkpoint(tiny_backbone, tmp_path / "out", config=config)
    assert list(tmp_path.iterdir()) == []


# --- save and load -------------------------------------------------------------------------------------------------


def test_what_is_measured_after_loading_is_what_was_saved(
    tiny_checkpoint: Path, model: SafeLlava, pictures: list[Image.Image], tmp_path: Path
) -> None:
    again = load_checkpoint(save_checkpoint(model, tmp_path / "again", include_backbone=True, **TRAINED))
    assert assess(again, [pictures], ["hi"]).pairs == assess(model, [pictures], ["hi"]).pairs
    assert reply(again) == reply(model)
    assert again.hints == model.hints
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}
    assert not again.training


def test_a_checkpoint_may_be_moved_with_its_backbone(tiny_backbone: Path, tmp_path: Path) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "a", include_backbone=True)
    moved = path.rename(tmp_path / "b")
    assert load_checkpoint(moved, allow_untrained=True).source is not None


def test_an_existing_folder_is_never_overwritten(model: SafeLlava, tiny_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="exists already"):
        save_checkpoint(model, tiny_checkpoint, **TRAINED)


def test_provenance_must_say_whether_it_was_trained(model: SafeLlava, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trained"):
        save_checkpoint(model, tmp_path / "out", **TRAINED | {"provenance": {}})
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_that_was_never_saved_cannot_be_referred_to(model: SafeLlava, tmp_path: Path) -> None:
    homeless = SafeLlava(
        model.backbone,
        model.safety,
        taxonomy=model.taxonomy,
        hints=model.hints,
        tokenizer=model.tokenizer,
        image_processor=model.image_processor,
    )
    with pytest.raises(CheckpointError, match="no known source"):
        save_checkpoint(homeless, tmp_path / "out", **TRAINED)


def test_another_taxonomy_brings_its_own_classes(tiny_backbone: Path, tmp_path: Path) -> None:
    taxonomy = Taxonomy(types=("spam", "scam", "fine"), levels=("ok", "hm", "no"), safe_type="fine")
    model = load_checkpoint(make_checkpoint(tiny_backbone, tmp_path / "own", taxonomy))
    scores = assess(model, [[]], ["hi"]).pairs[0].text
    assert scores is not None
    assert (len(scores.types), len(scores.levels)) == (3, 3)
    assert model.taxonomy == taxonomy
    assert set(model.hints) == {"spam", "scam"}


def test_the_policy_can_be_rewritten_alone(tiny_backbone: Path, tmp_path: Path) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "out")
    default = Policy.create_default(DEFAULT_TAXONOMY)
    update_policy(path, replace(default, enabled=frozenset({"privacy"})))
    assert verify(path).policy.enabled == {"privacy"}
    assert json.loads((path / POLICY_FILE).read_text())["enabled"]["politics"] is False


def test_a_guarantee_ends_with_its_policy(tiny_backbone: Path, tmp_path: Path) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "out")
    default = Policy.create_default(DEFAULT_TAXONOMY)
    update_policy(path, default, GUARANTEE)
    assert verify(path).guarantee == GUARANTEE
    update_policy(path, default)
    assert verify(path).guarantee is None


def test_a_saved_checkpoint_keeps_scores_and_only_a_guarantee_that_is_passed_on(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(tiny_checkpoint, tmp_path / "start"))
    own = ScoreCalibration(type_temperature=1.5, risk_slope=0.8, risk_offsets=(0.4, 0.0, -0.4))
    update_policy(path, Policy.create_default(DEFAULT_TAXONOMY), GUARANTEE)
    update_score_calibration(path, own)
    model = load_checkpoint(path)
    assert model.score_calibration == verify(path).spec.score_calibration == own
    plain = save_checkpoint(model, tmp_path / "plain", **TRAINED)
    assert (verify(plain).guarantee, verify(plain).spec.score_calibration) == (None, own)
    passed = save_checkpoint(model, tmp_path / "passed", **TRAINED, guarantee=GUARANTEE)
    assert verify(passed).guarantee == GUARANTEE


def test_recalibrated_scores_are_the_raw_ones_recalibrated(tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tiny_checkpoint, tmp_path / "start"))
    own = ScoreCalibration(type_temperature=2.0, level_temperature=0.5, risk_slope=0.7, risk_offsets=(0.4, 0.0, -0.4))
    raw = assess(load_checkpoint(path), [[]], ["hi"]).pairs[0].text
    update_score_calibration(path, own)
    calibrated = assess(load_checkpoint(path), [[]], ["hi"]).pairs[0].text
    assert raw is not None
    assert calibrated is not None
    assert calibrated.types == tuple(own.calibrate_types(np.array([raw.types]))[0].tolist())
    assert calibrated.levels == tuple(own.calibrate_levels(np.array([raw.levels]))[0].tolist())


@pytest.mark.parametrize("finished", range(3))
def test_a_kill_while_the_policy_is_rewritten_leaves_the_old_one_or_the_new_one(
    tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    path = init_checkpoint(tiny_backbone, tmp_path / "out")
    default = Policy.create_default(DEFAULT_TAXONOMY)
    changed = replace(default, enabled=frozenset({"privacy"}))
    renamed: list[Path] = []
    rename = Path.replace

    def until_killed(self: Path, target: Path) -> Path:
        if len(renamed) == finished:
            raise KeyboardInterrupt
        renamed.append(target)
        return rename(self, target)

    with monkeypatch.context() as killing:
        killing.setattr(Path, "replace", until_killed)
        with pytest.raises(KeyboardInterrupt):
            update_policy(path, changed)
    assert verify(path).policy == (default if finished < 2 else changed)
    update_policy(path, default)
    assert verify(path).policy == default


# --- adapters ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapted(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, ...]]:
    """A checkpoint of stage 2, and what its model said before it was saved."""
    model = load_checkpoint(untrained, allow_untrained=True)
    adapter = attach_adapter(model.backbone, LoraConfig(r=2, lora_alpha=8, target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(0))
    model.eval()
    path = tmp_path_factory.mktemp("adapted") / "out"
    return save_checkpoint(model, path, dtype=torch.float32, **TRAINED), reply(model)


def test_whoever_may_read_the_folder_may_read_every_file(
    adapted: tuple[Path, tuple[int, ...]], tiny_backbone: Path, tmp_path: Path
) -> None:
    whole = init_checkpoint(tiny_backbone, tmp_path / "whole", include_backbone=True)
    for path in (adapted[0], whole):
        files = [file for file in path.rglob("*") if file.is_file()]
        assert [file.name for file in files if file.suffix == ".safetensors"]
        assert {file.stat().st_mode for file in files} == {(path / MANIFEST).stat().st_mode}


def test_an_adapter_is_merged_on_loading_unless_told_otherwise(
    adapted: tuple[Path, tuple[int, ...]], untrained: Path
) -> None:
    path, expected = adapted
    assert verify(path).has_adapter
    merged, kept = load_checkpoint(path), load_checkpoint(path, merge=False)
    assert get_adapter(merged.backbone) is None
    assert get_adapter(kept.backbone) is not None
    assert reply(merged) == reply(kept) == expected
    assert reply(load_checkpoint(untrained, allow_untrained=True)) != expected


def test_a_merged_adapter_goes_along_when_saved_again(adapted: tuple[Path, tuple[int, ...]], tmp_path: Path) -> None:
    path, expected = adapted
    again = save_checkpoint(load_checkpoint(path), tmp_path / "again", **TRAINED)
    assert (again / ADAPTER_DIR).is_dir()
    assert reply(load_checkpoint(again)) == expected


def test_a_second_adapter_upon_a_merged_one_is_refused(adapted: tuple[Path, tuple[int, ...]], tmp_path: Path) -> None:
    model = load_checkpoint(adapted[0])
    attach_adapter(model.backbone, LoraConfig(r=2, target_modules="all-linear"))
    with pytest.raises(ConfigError, match="merge=False"):
        save_checkpoint(model, tmp_path / "out", **TRAINED)


def test_an_adapter_stays_beside_quantised_weights(adapted: tuple[Path, tuple[int, ...]]) -> None:
    model = load_checkpoint(adapted[0], quantize="nf4")
    use_portable_kernels(model)
    assert get_adapter(model.backbone) is not None
    assert reply(model)
