import json
from pathlib import Path

import pytest

from safety_core.small.corpus.loading import split_records
from safety_core.small.corpus.split_lists import write_lists
from tests.helpers.command_line import run_command
from tests.helpers.models.tiny_alignment import write_photographs
from tests.helpers.models.tiny_convolutional import write_convolutional_backbone


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    monkeypatch.chdir(tmp_path)
    folder = write_photographs(tmp_path / "data")
    monkeypatch.setattr("safety_core.small.corpus.split_lists.find_lists", lambda: tmp_path / "lists")
    write_lists(split_records(folder, cache=None), tmp_path / "lists")
    return folder


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    return write_convolutional_backbone(tmp_path / "backbone")


def list_photographs(file: Path) -> set[str]:
    """Photographs of a file of samples, collages left out."""
    images = (Path(json.loads(line)["image"]) for line in file.read_text(encoding="utf-8").splitlines())
    return {image.name for image in images if image.is_absolute()}


def test_a_projector_is_trained_and_measured(data: Path, backbone: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    options = ("--data", data, "--out", out, "--device", "cpu")
    told = run_command("small", "align", *options, "--backbone", backbone, "--samples", "40", "--steps", "3")
    assert "nearest name right for" in told
    assert "step 3:" in told
    projector = out / "projector.safetensors"
    assert projector.is_file()
    assert projector.read_bytes() != (out / "start.safetensors").read_bytes()
    figures = tmp_path / "figures.json"
    table = run_command(
        "small", "look", *options, "--checkpoint", backbone, "--projector", projector, "--figures", figures
    )
    assert "| names: imagenet | named | 2 |" in table
    assert {row["row"] for row in json.loads(figures.read_text())} >= {"names: imagenet", "yes or no: flickr8k"}


def test_samples_alone_are_the_same_as_before_training(data: Path, backbone: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        out = tmp_path / name
        run_command("small", "align", "--data", data, "--out", out, "--backbone", backbone, "--samples-only")
        assert not (out / "projector.safetensors").exists()
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()
    trained, measured = (list_photographs(tmp_path / "a" / name) for name in ("train.jsonl", "development.jsonl"))
    assert trained
    assert measured
    assert not trained & measured


def test_only_two_splits_are_measured(data: Path, backbone: Path) -> None:
    told = run_command("small", "look", "--data", data, "--checkpoint", backbone, "--split", "train", code=1)
    assert "must be development or test" in told


def test_photographs_are_needed(data: Path, backbone: Path, tmp_path: Path) -> None:
    (data / "photos.jsonl").unlink()
    (data / "texts").mkdir()
    (data / "texts" / "catqa.jsonl").write_text('{"text": "How?", "category": "Illegal Activity"}\n')
    told = run_command("small", "align", "--data", data, "--out", tmp_path / "o", "--backbone", backbone, code=1)
    assert "there are no photographs" in told
