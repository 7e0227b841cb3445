import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from safety_core.data.jsonl import read_jsonl, write_jsonl
from safety_core.errors import ConfigError, DivergedError, SampleError
from safety_core.model.checkpoint.checkpoint import load_checkpoint, verify
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.tower import VisionFeatures
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from safety_core.training.config import TrainConfig
from safety_core.training.run import list_warnings, train
from tests.helpers.models.reference import assess
from tests.helpers.training_runs import read_log, read_weights

ConfigFor = Callable[..., TrainConfig]

SMALL = {"projector": {"depth": 1}, "head": {"dropout": 0.0, "num_heads": 4}}
"""Changes that let a test learn in a few quick steps."""

KILLED_RUN = """
import json, os, signal, sys
from transformers import TrainerCallback
from safety_core.training.config import TrainConfig
from safety_core.training.run import train

class Kill(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

values = json.loads(sys.argv[1])
values["data"] = tuple(values["data"])
values["eval_data"] = tuple(values["eval_data"])
train(TrainConfig(**values), callbacks=[Kill()])
"""


def test_the_head_learns_what_picture_and_words_say_together(
    config_for: ConfigFor, training_jsonl: Path, tmp_path: Path
) -> None:
    config = config_for(
        train_parts="head",
        cache_features=str(tmp_path / "cache"),
        max_steps=80,
        batch_size=28,
        lr=1e-2,
        log_steps=10,
        eval_data=(str(training_jsonl),),
        eval_steps=40,
    )
    report = train(config)
    assert (report.steps, report.samples, report.resumed_from, report.skipped) == (80, 28, 0, ())
    assert report.metrics["eval_type_accuracy"] == pytest.approx(1.0)
    assert report.metrics["eval_level_accuracy"] == pytest.approx(1.0)
    lines = read_log(config)
    assert sum("eval_type_loss" in line for line in lines) == 3
    assert lines[-1]["done"]


def test_stage_1_writes_a_sound_checkpoint(config_for: ConfigFor, untrained_checkpoint: Path) -> None:
    config = config_for(max_steps=10, batch_size=28, lr=1e-2)
    report = train(config)
    spec = verify(report.out).spec
    assert spec.trained
    assert spec.provenance["steps"] == 10
    before, after = read_weights(untrained_checkpoint), read_weights(report.out)
    for name in ("llm_tokens_SD", "head_tokens_SD", "head.type_classifier.weight", "projector.readout.2.weight"):
        assert not torch.equal(before[name], after[name]), name
    lines = read_log(config)
    assert {"step", "loss", "learning_rate", "grad_norm_head", "grad_norm_lm", "epoch", "seconds"} <= set(lines[0])
    assert lines[0]["lm_loss"] > lines[9]["lm_loss"]
    assert lines[0]["type_loss"] > lines[9]["type_loss"]
    assert not (config.run_path / "states").exists()


def test_stage_2_goes_on_with_a_lora(config_for: ConfigFor, tiny_checkpoint: Path) -> None:
    report = train(config_for(backbone=str(tiny_checkpoint), stage=2, lr=5e-3))
    found = verify(report.out)
    assert found.has_adapter
    before, after = read_weights(tiny_checkpoint), read_weights(report.out)
    # Fault 4 of the reference: in stage 2 nothing behind the head's loss could learn.
    for name in ("head.type_classifier.weight", "head_tokens_SD", "llm_tokens_SD", "projector.readout.2.weight"):
        assert not torch.equal(before[name], after[name]), name
    model = load_checkpoint(report.out)
    plain = load_checkpoint(tiny_checkpoint)
    name = "model.language_model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(model.backbone.get_parameter(name), plain.backbone.get_parameter(name))
    again = train(config_for(backbone=str(report.out), stage=2, lr=5e-3, out=f"{report.out}-again"))
    assert verify(again.out).has_adapter


def test_a_head_that_reads_layers_is_trained_from_stored_states(
    config_for: ConfigFor, tiny_backbone: Path, tmp_path: Path
) -> None:
    """Stage 1 and 2, with and without stored states; the LoRA leaves the layer alone that the head reads."""
    common: dict[str, Any] = {"backbone": str(tiny_backbone), "template": "vicuna", "lr": 5e-3, "max_steps": 6}
    common["safety"] = {**SMALL, "prompt_layers": 1}
    cache = {"cache_features": str(tmp_path / "cache")}
    live = train(config_for(out=str(tmp_path / "live"), **common))
    stored = train(config_for(out=str(tmp_path / "stored"), **common, **cache))
    assert list((tmp_path / "cache").glob("prompts-*/states.f16"))
    for name, tensor in read_weights(live.out).items():
        torch.testing.assert_close(read_weights(stored.out)[name], tensor, atol=2e-2, rtol=2e-2)
    second = train(config_for(backbone=str(stored.out), stage=2, lr=5e-3, out=str(tmp_path / "second"), **cache))
    assert verify(second.out).has_adapter
    assert verify(second.out).spec.config.prompt_layers == 1
    merged, apart, plain = (
        load_checkpoint(second.out),
        load_checkpoint(second.out, merge=False),
        load_checkpoint(stored.out),
    )
    states = [model.prompt_reader.read([(5, 6, 7)]).states_PTD for model in (merged, apart, plain)]
    torch.testing.assert_close(states[0], states[2])
    torch.testing.assert_close(states[1], states[2])
    changed = "model.language_model.layers.1.mlp.up_proj.weight"
    assert not torch.equal(merged.backbone.get_parameter(changed), plain.backbone.get_parameter(changed))


def test_a_prompt_adapter_learns_with_the_head_and_stays_in_stage_2(
    config_for: ConfigFor, tiny_backbone: Path, tmp_path: Path
) -> None:
    safety = {**SMALL, "prompt_layers": 1}
    common: dict[str, Any] = {"train_parts": "head", "prompt_lora_r": 2, "lr": 1e-2, "lr_prompt": 1e-2, "max_steps": 30}
    first = train(
        config_for(backbone=str(tiny_backbone), template="vicuna", safety=safety, batch_size=28, grad_accum=1, **common)
    )
    assert verify(first.out).has_prompt_adapter
    weights = load_file(first.out / "prompt_adapter" / "adapter_model.safetensors")
    assert any(bool(tensor.any()) for name, tensor in weights.items() if "lora_B" in name), "it has learned"
    cache = {"cache_features": str(tmp_path / "cache")}
    second = train(config_for(backbone=str(first.out), stage=2, out=str(tmp_path / "second"), **cache))
    kept = load_file(second.out / "prompt_adapter" / "adapter_model.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in kept.items()), "it does not learn any more"
    assert list((tmp_path / "cache").glob("prompts-*/states.f16"))
    third = train(config_for(backbone=str(second.out), out=str(tmp_path / "third"), **common))
    further = load_file(third.out / "prompt_adapter" / "adapter_model.safetensors")
    assert any(not torch.equal(tensor, weights[name]) for name, tensor in further.items()), "it can learn on"


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(config_for: ConfigFor, tiny_checkpoint: Path, tmp_path: Path) -> None:
    # Stage 2 in mixed precision: dropout in head and LoRA, accumulation, and all three kinds of state to restore.
    common: dict[str, Any] = {"backbone": str(tiny_checkpoint), "stage": 2, "precision": "bf16"}
    common |= {"max_steps": 8, "save_steps": 2, "grad_accum": 2}
    whole = train(config_for(out=str(tmp_path / "whole"), cache_features=str(tmp_path / "cache"), **common))
    config = config_for(out=str(tmp_path / "killed"), cache_features=str(tmp_path / "cache"), **common)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, json.dumps(config.model_dump(mode="json"))],
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9, killed.stderr
    assert not Path(config.out).exists()
    # A kill can also strike while a state is being written: such a state must not be taken.
    partial = config.run_path / "states" / "checkpoint-6"
    partial.mkdir()
    (partial / "trainer_state.json").write_text("{", encoding="utf-8")
    resumed = train(config)
    assert resumed.resumed_from == 4
    for file in ("safety.safetensors", "adapter/adapter_model.safetensors"):
        if (whole.out / file).exists():
            expected, found = load_file(whole.out / file), load_file(resumed.out / file)
            assert all(torch.equal(expected[name], found[name]) for name in expected), file
    steps = [line["step"] for line in read_log(config) if "loss" in line]
    assert steps == list(range(1, 9))


def test_with_a_cache_the_tower_runs_once_for_each_picture(
    config_for: ConfigFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    encode = SafeLlava.encode_images

    def counted(self: SafeLlava, pixels: torch.Tensor) -> VisionFeatures:
        seen.append(len(pixels))
        return encode(self, pixels)

    monkeypatch.setattr(SafeLlava, "encode_images", counted)
    train(config_for(cache_features=str(tmp_path / "cache")))
    assert sum(seen) == 12
    train(config_for(cache_features=str(tmp_path / "cache"), out=str(tmp_path / "second")))
    assert sum(seen) == 12


class Stop(TrainerCallback):
    """What a closed laptop does to a run."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt


def test_an_unfinished_run_is_not_mixed_with_another(
    config_for: ConfigFor, training_jsonl: Path, tmp_path: Path
) -> None:
    config = config_for(save_steps=2)
    with pytest.raises(KeyboardInterrupt):
        train(config, callbacks=[Stop()])
    with pytest.raises(ConfigError, match=r"unfinished run with another lr;"):
        train(config_for(save_steps=2, lr=1.0))
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(training_jsonl.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match=r"unfinished run with another data, data_sha256;"):
        train(config_for(save_steps=2, data=(str(changed),)))
    assert train(config_for(save_steps=1)).resumed_from == 2


@pytest.fixture
def own_hints(tmp_path: Path) -> Path:
    """A file with a hint for one level of one type."""
    file = tmp_path / "hints.json"
    file.write_text(json.dumps({"illegal": {"caution": "Mind the law."}}), encoding="utf-8")
    return file


def test_a_changed_hints_file_is_read_again(config_for: ConfigFor, tiny_backbone: Path, own_hints: Path) -> None:
    config = config_for(backbone=str(tiny_backbone), hints=str(own_hints), max_steps=1, train_parts="lm")
    assert load_checkpoint(train(config).out, allow_untrained=True).hints == {"illegal": {1: "Mind the law."}}
    assert not (config.run_path / "start").exists()
    shutil.rmtree(config.out)
    own_hints.write_text(json.dumps({"illegal": {"caution": "Mind the new law."}}), encoding="utf-8")
    assert load_checkpoint(train(config).out, allow_untrained=True).hints == {"illegal": {1: "Mind the new law."}}


def test_an_unfinished_run_is_not_mixed_with_other_hints(
    config_for: ConfigFor, tiny_backbone: Path, own_hints: Path
) -> None:
    config = config_for(backbone=str(tiny_backbone), hints=str(own_hints), save_steps=2, train_parts="lm")
    with pytest.raises(KeyboardInterrupt):
        train(config, callbacks=[Stop()])
    before = own_hints.read_bytes()
    own_hints.write_text(json.dumps({"illegal": {"caution": "Mind the new law."}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"unfinished run with another hints_sha256;"):
        train(config)
    own_hints.write_bytes(before)
    assert train(config).resumed_from == 2


def test_the_folder_of_a_run_that_never_began_is_taken_over(
    config_for: ConfigFor, tmp_path: Path, training_jsonl: Path
) -> None:
    with pytest.raises(SampleError):
        train(config_for(data=(str(tmp_path / "gone.jsonl"),)))
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(SampleError):
        train(config_for(data=(str(broken),)))
    assert train(config_for()).steps == 4


def test_an_existing_checkpoint_is_not_overwritten(config_for: ConfigFor, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists already"):
        train(config_for())


def test_a_bare_backbone_with_a_taxonomy_of_three_types(
    config_for: ConfigFor, tiny_backbone: Path, training_jsonl: Path, tmp_path: Path
) -> None:
    taxonomy = Taxonomy(types=("fine", "odd", "bad"), levels=("none", "some", "all"), safe_type="fine")
    (tmp_path / "taxonomy.json").write_text(json.dumps(taxonomy.to_dict()), encoding="utf-8")
    (tmp_path / "hints.json").write_text(json.dumps({"odd": {"some": "Mind the odd."}}), encoding="utf-8")
    records = []
    for line in training_jsonl.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        risky = record["safe_type"] != DEFAULT_TAXONOMY.safe_index
        level = min(record["safe_level"], 2)
        label = {"safe_type": level if risky else 0, "safe_level": level}
        records.append(record | label | {"image_risk": None, "text_risk": None})
    file = training_jsonl.with_name("three.jsonl")
    write_jsonl(file, records)
    config = config_for(
        backbone=str(tiny_backbone),
        data=(str(file),),
        eval_data=(str(file),),
        taxonomy=str(tmp_path / "taxonomy.json"),
        hints=str(tmp_path / "hints.json"),
        safety=SMALL | {"num_safety_tokens": 3},
        train_parts="head",
        cache_features=str(tmp_path / "cache"),
        max_steps=80,
        batch_size=28,
        lr=1e-2,
        include_backbone=True,
    )
    report = train(config)
    model = load_checkpoint(report.out)
    assert model.taxonomy == taxonomy
    assert model.hints == {"odd": {1: "Mind the odd."}}
    assert model.config.num_safety_tokens == 3
    assert report.metrics["eval_type_accuracy"] == pytest.approx(1.0)
    images = [sample for sample in read_jsonl(file, taxonomy).samples if sample.images][:2]
    assert len(images) == 2
    (pair,) = assess(model, [[]], ["How do I hurt someone?"]).pairs
    assert pair.text is not None
    assert (len(pair.text.types), len(pair.text.levels)) == (3, 3)
    assert max(range(3), key=pair.text.types.__getitem__) == 2


def test_a_diverged_run_stops_and_saves_nothing(config_for: ConfigFor) -> None:
    config = config_for(lr=1e30, max_steps=20)
    with pytest.raises(DivergedError, match="is not finite"):
        train(config)
    assert not Path(config.out).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp16"}, "fp16 needs a GPU"),
        ({"train_parts": "lm", "data": "words"}, "no training sample is left"),
    ],
)
def test_impossible_wishes_are_refused(
    config_for: ConfigFor, training_jsonl: Path, changes: dict[str, Any], message: str
) -> None:
    if changes.get("data") == "words":
        file = training_jsonl.with_name("unanswered.jsonl")
        record = {"id": "x", "image": None, "conversations": [{"from": "USER", "value": "Hi"}]}
        write_jsonl(file, [record | {"safe_type": 6, "safe_level": 0}])
        changes = changes | {"data": (str(file),)}
    with pytest.raises(ConfigError, match=message):
        train(config_for(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"safety": {"head": {"pooling": "first_token", "fusion": "bare", "context_layers": 0}}},
        {"safety": {"use_head": False}},
        {"safety": {"use_llm_tokens": False}},
        {"safety": {"vision_layers": [-1, -2]}, "class_weights": "balanced", "label_smoothing": 0.1},
        {"precision": "bf16", "gradient_checkpointing": True},
    ],
    ids=lambda changes: "-".join(map(str, changes)),
)
def test_every_switch_can_be_trained(config_for: ConfigFor, tiny_backbone: Path, changes: dict[str, Any]) -> None:
    assert verify(train(config_for(backbone=str(tiny_backbone), max_steps=2, **changes)).out).spec.trained


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
def test_a_quantised_backbone_can_be_adapted(config_for: ConfigFor, tiny_checkpoint: Path, quantize: str) -> None:
    report = train(config_for(backbone=str(tiny_checkpoint), stage=2, quantize=quantize, max_steps=2))
    assert verify(report.out).has_adapter
    load_checkpoint(report.out)


def test_several_pictures_and_pictures_without_words(config_for: ConfigFor, training_jsonl: Path) -> None:
    turns = [{"from": "USER", "value": "Compare"}, {"from": "ASSISTANT", "value": "Two."}]
    risk = {"safe_type": 1, "safe_level": 2, "image_risk": {"type": 1, "level": 1}}
    pair = {"image": ["red-0.png", "blue-1.png"]} | risk
    records = [
        pair | {"id": "a", "conversations": turns},
        pair | {"id": "b", "conversations": []},
        risk | {"id": "c", "image": "red-0.png", "conversations": []},
    ]
    file = training_jsonl.with_name("several.jsonl")
    write_jsonl(file, records)
    report = train(config_for(data=(str(file),), max_steps=2, workers=1))
    assert report.samples == 3


def test_memory_can_be_saved(config_for: ConfigFor, tiny_checkpoint: Path, tmp_path: Path) -> None:
    common = {"backbone": str(tiny_checkpoint), "stage": 2, "max_steps": 2, "lora_dropout": 0.0}
    plain = train(config_for(out=str(tmp_path / "plain"), **common))
    saving = train(config_for(out=str(tmp_path / "saving"), gradient_checkpointing=True, **common))
    expected, found = read_weights(plain.out), read_weights(saving.out)
    assert all(torch.allclose(expected[name], found[name], atol=1e-3) for name in expected)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> int:
    """Steps that are just enough not to count as hardly any; three will do to see the difference."""
    monkeypatch.setattr("safety_core.training.run._FEW_STEPS", 3)
    return 4


def test_a_run_that_hardly_trained_says_so(config_for: ConfigFor, tmp_path: Path, few_steps: int) -> None:
    report = train(config_for(max_steps=1))
    (warning,) = report.warnings
    assert warning.startswith("1 optimizer steps over 28 samples: the modules have hardly learned")
    assert verify(report.out).spec.provenance["steps"] == 1
    second = train(config_for(backbone=str(report.out), stage=2, max_steps=few_steps, out=str(tmp_path / "second")))
    assert second.warnings == ()


@pytest.mark.parametrize(("steps", "samples", "warned"), [(19, 28, 1), (20, 28, 0), (20, 161, 1), (20, 160, 0)])
def test_few_steps_and_less_than_an_epoch_are_hardly_any(
    config_for: ConfigFor, steps: int, samples: int, warned: int
) -> None:
    found = list(list_warnings(config_for(), start_trained=True, trained=True, steps=steps, samples=samples))
    assert len(found) == warned


def test_stage_2_on_untrained_modules_says_so(config_for: ConfigFor, few_steps: int) -> None:
    report = train(config_for(stage=2, max_steps=few_steps))
    (warning,) = report.warnings
    assert "stage 1 should come first" in warning


@pytest.mark.parametrize("stage", [1, 2])
def test_modules_whose_head_was_left_out_stay_untrained(config_for: ConfigFor, stage: int, tmp_path: Path) -> None:
    report = train(config_for(stage=stage, train_parts="lm", max_steps=4))
    assert not verify(report.out).spec.trained
    assert any("still counts as untrained" in warning for warning in report.warnings)
    after = train(config_for(backbone=str(report.out), train_parts="all", max_steps=4, out=str(tmp_path / "after")))
    assert verify(after.out).spec.trained
