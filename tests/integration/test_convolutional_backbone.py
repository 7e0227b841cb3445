"""A LLaVA over a convolutional tower with ChatML's format, as safevlm-small has: from init to a served verdict.

Its map has 9 x 9 places and no class token, and the safety projector concatenates three hidden states of the tower.
"""

import base64
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient
from torch import nn
from typer.testing import CliRunner

from bench.contenders.reference import generate
from safety_core.cli.main import app
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.chat_template import TemplatedPromptBuilder
from safety_core.inputs.conversation import Turn
from safety_core.model.backbones.efficientnet_lite import EfficientNetLiteModel
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.checkpoint.quantization import Quantize
from safety_core.model.checkpoint.verification import verify
from safety_core.model.fingerprint import compute_tower_fingerprint
from safety_core.policy.named_policies import ActivePolicy
from service.app import create_app
from service.settings import Settings
from tests.helpers.datasets.suite_factory import create_varied_records, write_suite
from tests.helpers.images.encoding import encode_png
from tests.helpers.images.pictures import create_picture
from tests.helpers.models.kernels import use_portable_kernels
from tests.helpers.models.tiny_convolutional import GRID, VISION_WIDTH, write_convolutional_backbone


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_convolutional_backbone(tmp_path_factory.mktemp("backbones") / "convolutional")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, backbone: Path, training_jsonl: Path) -> Path:
    """Both stages from cached features, the second one with LoRA, by the commands that people type."""
    folder = tmp_path_factory.mktemp("convolutional")
    shape = ["vision_layers=[0,1,2]", "projector.mixing=concatenate", "projector.hidden=24", "projector.grid=9"]
    run("init", folder / "start", "--backbone", backbone, *(part for value in shape for part in ("--set", value)))
    short = ["--max-steps", 2, "--batch-size", 8, "--grad-accum", 1, "--device", "cpu", "--quiet"]
    short += ["--data", training_jsonl, "--cache-features", folder / "features"]
    run("train", "--backbone", folder / "start", "--out", folder / "one", *short)
    lora = ["--stage", 2, "--set", "lora_r=2", "--set", "include_backbone=true"]
    run("train", "--backbone", folder / "one", "--out", folder / "two", *lora, *short)
    # Both stages read the same features: LLaVA's projector is applied to them, not stored with them.
    (cache,) = (path for path in (folder / "features").iterdir() if path.is_dir())
    pictures = len((cache / "digests.txt").read_text().splitlines())
    assert (cache / "features.f16").stat().st_size == 2 * pictures * 3 * GRID**2 * VISION_WIDTH
    return folder / "two"


def test_a_checkpoint_holds_and_verifies_it(checkpoint: Path, tmp_path: Path) -> None:
    report = verify(checkpoint)
    assert (report.has_adapter, report.ships_backbone) == (True, True)
    assert (report.spec.dims.patch_grid, report.spec.dims.vision_depth) == (GRID, 2)
    assert report.spec.config.projector.mixing == "concatenate"
    printed = run("verify", checkpoint)
    assert "template   chat" in printed
    model = load_checkpoint(checkpoint)
    assert type(model.backbone.model.vision_tower) is EfficientNetLiteModel
    assert isinstance(model.prompts, TemplatedPromptBuilder)
    assert model.positions_per_image == GRID**2 + model.config.num_safety_tokens
    assert model.safety.projector is not None
    first = model.safety.projector.stage_in[0].get_submodule("expand.0").weight
    assert first.shape == (24, 3 * VISION_WIDTH, 1, 1)


def test_the_guard_attends_to_places_of_its_map(checkpoint: Path) -> None:
    guard = load_guard(checkpoint, device="cpu")
    request = GuardRequest(
        images=(create_picture(),),
        turns=(Turn(role="user", text="What is it?"),),
        policy=ActivePolicy(policy=guard.policy),
        heatmap=True,
    )
    assessment = guard.assess(request)
    assert assessment.verdict is not None
    (heatmap,) = assessment.variant_scores[0].heatmaps
    assert [len(row) for row in heatmap] == [GRID] * GRID


def test_it_is_calibrated_measured_and_served(
    checkpoint: Path, training_jsonl: Path, tmp_path: Path, no_settings: None, same_log_levels: None
) -> None:
    run("calibrate", "--checkpoint", checkpoint, "--data", training_jsonl, "--method", "search", "--device", "cpu")
    suite, report = write_suite(tmp_path / "suite", create_varied_records(24)), tmp_path / "report"
    figures = ["--resamples", 20, "--device", "cpu", "--quiet", "--out", report]
    run("evaluate", "--suite", suite, "--checkpoint", checkpoint, *figures)
    assert (report / "report.json").is_file()
    with TestClient(create_app(Settings(checkpoint=checkpoint, device="cpu"))) as client:
        picture = {"image": ("red.png", encode_png((90, 60), "red"), "image/png")}
        explained = client.post("/v1/classify", data={"prompt": "What?", "explain": "true"}, files=picture)
        assert explained.status_code == 200, explained.text
        url = explained.json()["images"][0]["heatmap"]
        overlay = Image.open(BytesIO(base64.b64decode(url.partition(",")[2])))
        assert overlay.width * 60 == pytest.approx(overlay.height * 90, rel=0.02)
        said = client.post("/v1/chat", data={"prompt": "What is it?", "max_tokens": "4"}, files=picture)
        assert said.status_code == 200, said.text


@pytest.mark.parametrize(("quantize", "kind"), [("int8", "Linear8bitLt"), ("nf4", "Linear4bit")])
def test_only_the_language_model_is_quantised(checkpoint: Path, quantize: Quantize, kind: str) -> None:
    model = load_checkpoint(checkpoint, quantize=quantize)
    use_portable_kernels(model)
    tower = model.backbone.model.vision_tower
    assert type(tower.classifier) is nn.Linear
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float32}
    kinds = {type(module).__name__ for module in model.backbone.model.language_model.modules()}
    assert kind in kinds
    pixels = model.preprocess([create_picture().views[0]])
    vision = model.encode_images(pixels)
    prompt = model.prompts.encode([Turn(role="user", text="What is it?")], 1)
    (reply,) = generate(model, [prompt], vision, [1], eos_ids=(), max_new_tokens=2)
    assert len(reply.token_ids) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_backbone_loads_in_16_bit(backbone: Path, dtype: torch.dtype) -> None:
    loaded = load_backbone(backbone, dtype=dtype)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {dtype}


def test_the_fingerprint_tells_towers_apart(checkpoint: Path) -> None:
    model = load_checkpoint(checkpoint)
    before = compute_tower_fingerprint(model, with_projector=False)
    assert compute_tower_fingerprint(load_checkpoint(checkpoint), with_projector=False) == before
    with torch.no_grad():
        model.backbone.model.vision_tower.classifier.weight[0, 0] += 1
    assert compute_tower_fingerprint(model, with_projector=False) != before
