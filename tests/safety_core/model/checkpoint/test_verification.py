"""Each kind of damage refuses to load with an error of its own."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from safety_core.errors import (
    CheckpointError,
    ForbiddenFileError,
    FormatVersionError,
    IntegrityError,
    TensorKeyError,
    TensorShapeError,
)
from safety_core.model.checkpoint.adapter import CONFIG_FILE, WEIGHTS_FILE, attach_adapter
from safety_core.model.checkpoint.checkpoint import load_checkpoint, save_checkpoint
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, write_manifest
from safety_core.model.checkpoint.verification import ADAPTER_DIR, CARD_FILE, SAFETY_FILE, verify
from safety_core.model.spec import POLICY_FILE, SPEC_FILE
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY

ADAPTER = f"{ADAPTER_DIR}/{WEIGHTS_FILE}"
BACKBONE = f"{BACKBONE_DIR}/model.safetensors"


@pytest.fixture(scope="module")
def complete(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that a checkpoint can hold: modules, backbone and adapter."""
    model = load_checkpoint(tiny_checkpoint)
    attach_adapter(model.backbone, LoraConfig(r=2, target_modules="all-linear"))
    return save_checkpoint(
        model,
        tmp_path_factory.mktemp("complete") / "tiny",
        policy=Policy.create_default(DEFAULT_TAXONOMY),
        provenance={"trained": True},
        model_card="# Tiny\n",
        include_backbone=True,
    )


@pytest.fixture
def copied(complete: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(complete, tmp_path / "copied"))


def test_an_adapter_may_not_change_the_layers_that_read_texts(reading_checkpoint: Path, tmp_path: Path) -> None:
    def save(name: str, layers: list[int]) -> Path:
        model = load_checkpoint(reading_checkpoint)
        config = LoraConfig(r=2, target_modules=["q_proj"], layers_to_transform=layers, layers_pattern="layers")
        attach_adapter(model.backbone, config)
        return save_checkpoint(
            model,
            tmp_path / name,
            policy=Policy.create_default(DEFAULT_TAXONOMY),
            provenance={"trained": True},
            model_card="# Tiny\n",
            include_backbone=True,
        )

    assert verify(save("later", [1])).has_adapter
    with pytest.raises(CheckpointError, match="the adapter changes layer 0, but the head reads the first 1 layers"):
        verify(save("first", [0, 1]))


def test_more_layers_than_the_language_model_has_are_refused(reading_checkpoint: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(reading_checkpoint, tmp_path / "copied"))
    spec = json.loads((copied / SPEC_FILE).read_text())
    spec["config"]["prompt_layers"] = 3
    (copied / SPEC_FILE).write_text(json.dumps(spec))
    write_manifest(copied)
    with pytest.raises(CheckpointError, match="prompt_layers is 3, but the language model has 2 layers"):
        verify(copied)


def test_a_sound_checkpoint_is_described(tiny_checkpoint: Path) -> None:
    report = verify(str(tiny_checkpoint))
    assert report.spec.trained
    assert report.ships_backbone
    assert not report.has_adapter
    assert report.files == len([file for file in tiny_checkpoint.rglob("*") if file.is_file()]) - 1
    assert report.size > report.parameters * 2
    assert set(report.policy.thresholds) == set(report.spec.taxonomy.risky_types)


def test_an_adapter_and_its_backbone_are_held_against_each_other(copied: Path) -> None:
    assert verify(copied).has_adapter
    load_checkpoint(copied)


def test_verifying_draws_no_random_number(copied: Path) -> None:
    # A training seeds itself before it loads: what it starts from must not depend on how much was verified.
    before = torch.get_rng_state()
    verify(copied)
    assert torch.equal(before, torch.get_rng_state())


def test_verifying_shows_no_bar(copied: Path, capfd: pytest.CaptureFixture[str]) -> None:
    verify(copied)
    assert "Loading weights" not in capfd.readouterr().err


def flip_byte(path: Path) -> None:
    data = bytearray((path / SAFETY_FILE).read_bytes())
    data[-1] ^= 1
    (path / SAFETY_FILE).write_bytes(data)


def edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], object], file: str = SAFETY_FILE) -> None:
    tensors = load_file(path / file)
    change(tensors)
    save_file(tensors, path / file, metadata={"format": "pt"})
    write_manifest(path)


def drop_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.pop("llm_tokens_SD"))


def add_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update(stowaway=torch.zeros(1)))


def reshape_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update(llm_tokens_SD=tensors["llm_tokens_SD"].t().contiguous()))


def edit_json(path: Path, file: str, part: str | None = None, **changes: Any) -> None:
    data = json.loads((path / file).read_text())
    (data if part is None else data[part]).update(changes)
    (path / file).write_text(json.dumps(data))
    write_manifest(path)


def replace_bytes(path: Path, file: str, content: bytes) -> None:
    (path / file).write_bytes(content)
    write_manifest(path)


def drop_adapter_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.pop(min(tensors)), ADAPTER)


def add_adapter_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update(stowaway=torch.zeros(1)), ADAPTER)


def reshape_adapter_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update({min(tensors): torch.zeros(1, 1)}), ADAPTER)


def garble_adapter(path: Path) -> None:
    replace_bytes(path, ADAPTER, b"no tensors")


def garble_adapter_config(path: Path) -> None:
    replace_bytes(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", b"{")


def list_adapter_config(path: Path) -> None:
    replace_bytes(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", b"[]")


def ask_for_an_unknown_method(path: Path) -> None:
    edit_json(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", peft_type="MAGIC")


def ask_for_another_method(path: Path) -> None:
    replace_bytes(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", b'{"peft_type": "IA3"}')


def adapt_what_is_not_there(path: Path) -> None:
    edit_json(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", target_modules=["nowhere"])


def ask_for_another_rank(path: Path) -> None:
    edit_json(path, f"{ADAPTER_DIR}/{CONFIG_FILE}", r=3)


def drop_backbone_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.pop("language_model.lm_head.weight"), BACKBONE)


def add_backbone_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update(stowaway=torch.zeros(1)), BACKBONE)


def reshape_backbone_tensor(path: Path) -> None:
    edit_tensors(path, lambda tensors: tensors.update({"language_model.lm_head.weight": torch.zeros(2, 2)}), BACKBONE)


def garble_backbone(path: Path) -> None:
    replace_bytes(path, BACKBONE, b"no tensors")


def ask_for_no_attention_heads(path: Path) -> None:
    edit_json(path, f"{BACKBONE_DIR}/config.json", "text_config", num_attention_heads=0)


def ask_for_no_patches(path: Path) -> None:
    edit_json(path, f"{BACKBONE_DIR}/config.json", "vision_config", patch_size=0)


def ask_for_an_unknown_activation(path: Path) -> None:
    edit_json(path, f"{BACKBONE_DIR}/config.json", "text_config", hidden_act="nothing")


def garble_the_tokenizer(path: Path) -> None:
    replace_bytes(path, f"{BACKBONE_DIR}/tokenizer.json", b"{}")


def list_the_tokenizer_config(path: Path) -> None:
    replace_bytes(path, f"{BACKBONE_DIR}/tokenizer_config.json", b"[]")


def ask_for_uneven_heads(path: Path) -> None:
    head = json.loads((path / SPEC_FILE).read_text())["config"]["head"]
    edit_json(path, SPEC_FILE, "config", head=head | {"num_heads": 5, "context_layers": 0})


def ask_for_a_layer_that_is_not_there(path: Path) -> None:
    edit_json(path, SPEC_FILE, "config", vision_layers=[99])


def ask_for_such_a_layer_without_a_head(path: Path) -> None:
    edit_json(path, SPEC_FILE, "config", vision_layers=[99], use_head=False)


def raise_version(path: Path) -> None:
    edit_json(path, SPEC_FILE, format_version=99)


def add_pickle(path: Path) -> None:
    (path / "extra.pkl").write_bytes(pickle.dumps({}))


def drop_file(path: Path) -> None:
    (path / CARD_FILE).unlink()


def add_file(path: Path) -> None:
    (path / "notes.txt").write_text("hello")


DAMAGES = [
    (flip_byte, IntegrityError, rf"bytes differ.*{SAFETY_FILE}"),
    (drop_file, IntegrityError, rf"missing \['{CARD_FILE}'\]"),
    (add_file, IntegrityError, r"notes\.txt"),
    (drop_tensor, TensorKeyError, r"1 tensors missing \['llm_tokens_SD'\]"),
    (add_tensor, TensorKeyError, r"1 surplus \['stowaway'\]"),
    (reshape_tensor, TensorShapeError, r"llm_tokens_SD has shape \(32, 8\), the config needs \(8, 32\)"),
    (raise_version, FormatVersionError, "version 99 is unknown"),
    (add_pickle, ForbiddenFileError, r"extra\.pkl"),
    (drop_adapter_tensor, TensorKeyError, rf"{ADAPTER}: 1 tensors missing"),
    (add_adapter_tensor, TensorKeyError, rf"{ADAPTER}: .*1 surplus \['stowaway'\]"),
    (reshape_adapter_tensor, TensorShapeError, rf"{ADAPTER}: .* has shape \(1, 1\)"),
    (garble_adapter, IntegrityError, "cannot be read as safetensors"),
    (garble_adapter_config, CheckpointError, rf"{CONFIG_FILE} is malformed \(JSONDecodeError\)"),
    (list_adapter_config, CheckpointError, f"{CONFIG_FILE} is malformed"),
    (ask_for_an_unknown_method, CheckpointError, f"{CONFIG_FILE} is malformed"),
    (ask_for_another_method, CheckpointError, "does not describe a LoRA"),
    (adapt_what_is_not_there, CheckpointError, "does not fit the language model"),
    (ask_for_another_rank, TensorShapeError, r"the config needs \(3, 32\)"),
    (drop_backbone_tensor, TensorKeyError, r"1 tensors missing \['lm_head.weight'\]"),
    (add_backbone_tensor, TensorKeyError, r"1 surplus \['stowaway'\]"),
    (reshape_backbone_tensor, TensorShapeError, r"lm_head.weight has shape \(2, 2\)"),
    (garble_backbone, IntegrityError, "cannot be read as safetensors"),
    (ask_for_no_attention_heads, CheckpointError, r"backbone .* has no readable config \(ZeroDivisionError\)"),
    (ask_for_no_patches, CheckpointError, "sizes that no LLaVA can have"),
    (ask_for_an_unknown_activation, CheckpointError, "backbone .* cannot be loaded"),
    (garble_the_tokenizer, CheckpointError, "backbone .* cannot be loaded"),
    (list_the_tokenizer_config, CheckpointError, "backbone .* cannot be loaded"),
    (ask_for_uneven_heads, CheckpointError, "is not divisible by 5 heads"),
    (ask_for_a_layer_that_is_not_there, CheckpointError, r"config\.vision_layers"),
    (ask_for_such_a_layer_without_a_head, CheckpointError, r"config\.vision_layers"),
]


@pytest.mark.parametrize(("damage", "error", "message"), DAMAGES, ids=[entry[0].__name__ for entry in DAMAGES])
@pytest.mark.parametrize("check", [verify, load_checkpoint])
def test_damage_refuses_with_an_error_of_its_own(
    copied: Path,
    damage: Callable[[Path], None],
    error: type[CheckpointError],
    message: str,
    check: Callable[[Path], object],
) -> None:
    damage(copied)
    with pytest.raises(error, match=message) as caught:
        check(copied)
    assert type(caught.value) is error


def test_a_config_that_asks_for_another_head_does_not_fit_the_tensors(copied: Path) -> None:
    edit_json(copied, SPEC_FILE, "config", num_safety_tokens=5)
    with pytest.raises(TensorShapeError, match=r"needs \(5, 32\)"):
        verify(copied)


def test_modules_made_for_another_backbone(copied: Path) -> None:
    edit_json(copied, SPEC_FILE, "dims", vision_depth=9)
    with pytest.raises(CheckpointError, match="the modules were built for another backbone"):
        verify(copied)


def test_a_policy_for_another_taxonomy(copied: Path) -> None:
    policy = json.loads((copied / POLICY_FILE).read_text())
    del policy["thresholds"]["privacy"]
    (copied / POLICY_FILE).write_text(json.dumps(policy))
    write_manifest(copied)
    with pytest.raises(CheckpointError, match="policy"):
        verify(copied)


def test_a_backbone_elsewhere_is_checked_where_it_is_at_hand(copied: Path, tmp_path: Path) -> None:
    (copied / BACKBONE_DIR).rename(tmp_path / "elsewhere")
    edit_json(copied, SPEC_FILE, backbone={"path": "../elsewhere"})
    assert not verify(copied).ships_backbone
    small_head = {"language_model.lm_head.weight": torch.zeros(2, 2)}
    weights = load_file(tmp_path / "elsewhere" / "model.safetensors")
    save_file(weights | small_head, tmp_path / "elsewhere" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TensorShapeError, match="lm_head"):
        verify(copied)


def test_without_its_backbone_an_adapter_is_checked_as_far_as_it_goes(copied: Path) -> None:
    shutil.rmtree(copied / BACKBONE_DIR)
    edit_json(copied, SPEC_FILE, backbone={"hub_id": "someone/tiny-llava", "revision": "0" * 40})
    assert verify(copied).has_adapter
    garble_adapter_config(copied)
    with pytest.raises(CheckpointError, match="malformed"):
        verify(copied)


def test_a_backbone_that_should_be_inside_is_missed(copied: Path) -> None:
    shutil.rmtree(copied / BACKBONE_DIR)
    write_manifest(copied)
    with pytest.raises(IntegrityError, match=f"{BACKBONE_DIR} is missing"):
        verify(copied)


@pytest.mark.parametrize("name", [POLICY_FILE, SAFETY_FILE, SPEC_FILE, ADAPTER, f"{ADAPTER_DIR}/{CONFIG_FILE}"])
def test_a_file_that_was_never_there(copied: Path, name: str) -> None:
    (copied / name).unlink()
    write_manifest(copied)
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        verify(copied)
