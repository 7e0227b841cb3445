"""The way from LLaVA-1.5 as published to a server that guards it, through the commands that people type.

Nothing but making a checkpoint and fetching a hub backbone may use the network: a stand-in answers as the hub would,
and every other attempt is refused and seen.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors import safe_open
from starlette.testclient import TestClient
from typer.testing import CliRunner

from safety_core.cli.main import app
from safety_core.data.jsonl import write_jsonl
from service.app import create_app
from service.settings import Settings
from tests.helpers.datasets.suite_factory import create_varied_records, write_suite
from tests.helpers.images.encoding import encode_png
from tests.helpers.models.hub import Hub, forbid_network, run_hub
from tests.helpers.models.llava15 import COMMIT, LLAVA_ID, VICUNA_CONFIG, VICUNA_ID, write_llava15

COLOURS = ("red", "blue")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llava15(tmp_path_factory.mktemp("published") / "llava-1.5-7b-hf")


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub with LLaVA-1.5 and the language model that its config names."""
    vicuna = tmp_path / "vicuna"
    vicuna.mkdir()
    (vicuna / "config.json").write_text(json.dumps(VICUNA_CONFIG))
    repositories = {LLAVA_ID: (published, COMMIT), VICUNA_ID: (vicuna, "3321f76e3f527bd14065daf69dad9344000a201d")}
    with run_hub(repositories, tmp_path / "cache", monkeypatch) as hub:
        yield hub


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for colour in COLOURS:
        (folder / f"{colour}.png").write_bytes(encode_png((40, 28), colour))
    rows: list[dict[str, Any]] = [
        {
            "id": f"{colour}-{copy}",
            "image": f"{colour}.png",
            "conversations": [
                {"from": "USER", "value": "What is it?"},
                {"from": "ASSISTANT", "value": "No." if colour == "red" else "Blue."},
            ],
            "safe_type": 1 if colour == "red" else 6,
            "safe_level": 3 if colour == "red" else 0,
        }
        for colour in COLOURS
        for copy in range(3)
    ]
    write_jsonl(folder / "data.jsonl", rows)
    return folder / "data.jsonl"


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def train(stage: int, start: Path, data: Path, out: Path) -> None:
    short = ["--max-steps", 2, "--batch-size", 3, "--grad-accum", 1, "--set", "lora_r=2", "--device", "cpu", "--quiet"]
    run("train", "--stage", stage, "--backbone", start, "--data", data, "--out", out, *short)


def use(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    """Check, calibrate, measure and serve a checkpoint."""
    assert "adapter    yes" in run("verify", checkpoint)
    run("calibrate", "--checkpoint", checkpoint, "--data", data, "--method", "search", "--device", "cpu")
    suite, report = write_suite(tmp_path / "suite", create_varied_records(24)), tmp_path / "report"
    figures = ["--resamples", 20, "--device", "cpu", "--quiet", "--out", report]
    run("evaluate", "--suite", suite, "--checkpoint", checkpoint, *figures)
    assert (report / "report.json").is_file()
    with TestClient(create_app(Settings(checkpoint=checkpoint, device="cpu"))) as client:
        picture = {"image": ("red.png", encode_png((40, 28), "red"), "image/png")}
        assert client.post("/v1/classify", files=picture).status_code == 200
        said = client.post("/v1/chat", data={"prompt": "What is it?", "max_tokens": "4"}, files=picture)
        assert said.status_code == 200, said.text


def test_from_the_hub_to_a_server(hub: Hub, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with forbid_network(monkeypatch, hub.url) as tried:
        run("init", tmp_path / "start", "--backbone", LLAVA_ID)
        assert not any("model-0000" in request for request in hub.requests), "init reads no weights"
        train(1, tmp_path / "start", data, tmp_path / "stage1")
        assert any("model-00003" in request for request in hub.requests)
        assert tried == []
    # The hub's own client asks for this list before it asks for anything else.
    assert {request for request in hub.requests if LLAVA_ID not in request} <= {"GET /api/agent-harnesses"}
    asked = len(hub.requests)
    # The backbone is on this machine now, and the hub still answers: nobody has a reason to ask it.
    with forbid_network(monkeypatch, hub.url) as tried:
        train(2, tmp_path / "stage1", data, tmp_path / "stage2")
        use(tmp_path / "stage2", data, tmp_path)
        assert tried == []
    assert hub.requests[asked:] == []


def test_from_a_folder_to_a_server(
    hub: Hub, published: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forbid_network(monkeypatch, hub.url) as tried:
        run("init", tmp_path / "start", "--backbone", published)
        train(1, tmp_path / "start", data, tmp_path / "stage1")
        train(2, tmp_path / "stage1", data, tmp_path / "stage2")
        use(tmp_path / "stage2", data, tmp_path)
        assert tried == []
    assert hub.requests == []
    with safe_open(tmp_path / "stage2" / "adapter" / "adapter_model.safetensors", framework="pt") as weights:
        assert all("lora_" in name for name in weights.keys())  # noqa: SIM118  no mapping


def test_an_interrupted_download_is_completed(hub: Hub, data: Path, tmp_path: Path) -> None:
    run("init", tmp_path / "start", "--backbone", LLAVA_ID)
    train(1, tmp_path / "start", data, tmp_path / "stage1")
    (shard,) = (tmp_path / "cache").glob("models--*/snapshots/*/model-00002*")
    shard.resolve().unlink()
    shard.unlink()
    train(1, tmp_path / "start", data, tmp_path / "again")
    assert shard.is_file()


def test_without_the_network_it_is_said_what_is_missing(
    hub: Hub, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", tmp_path / "start", "--backbone", LLAVA_ID)
    # The hub's client tries again and again, and waits in between.
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    with forbid_network(monkeypatch):
        assert "NOT TRAINED" in run("verify", tmp_path / "start")
        command = ["train", "--backbone", tmp_path / "start", "--data", data, "--out", tmp_path / "out"]
        lost = CliRunner().invoke(app, [str(argument) for argument in command])
        unknown = CliRunner().invoke(app, ["init", str(tmp_path / "other"), "--backbone", "someone/else"])
    assert (lost.exit_code, unknown.exit_code) == (1, 1)
    assert f"{LLAVA_ID} at {COMMIT} is not on this machine" in lost.stderr
    assert "neither a folder nor a reachable hub repository" in unknown.stderr
