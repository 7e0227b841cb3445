"""A small folder of sets and own texts, split by lists of its own, for whole evaluations."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.evaluation.runs.registered import RunRequest
from safety_core.evaluation.runs.run import EvaluationConfig
from safety_core.small.corpus.loading import split_records
from safety_core.small.corpus.split_lists import write_lists
from safety_core.small.evaluation.items import documents
from safety_core.small.evaluation.replies import generation
from tests.helpers.datasets.own_texts import OWN_TEXTS
from tests.helpers.datasets.world_folder import write_rows, write_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sets whose splits are listed, and a few own texts in place of the package's."""
    for module in ("datasketch", "imagehash", "fontpkg_roboto"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'safevlm-guard[small-build]'")
    data = write_world(tmp_path / "data")
    write_rows(tmp_path / "own" / "contrast.jsonl", [row for row in OWN_TEXTS if row["split"] == "test"])
    write_rows(tmp_path / "own" / "pairs.jsonl", [row for row in OWN_TEXTS if row["split"] != "test"])
    monkeypatch.setattr("safety_core.small.corpus.loading.find_own_texts", lambda: tmp_path / "own")
    monkeypatch.setattr("safety_core.small.corpus.split_lists.find_lists", lambda: tmp_path / "lists")
    monkeypatch.setattr(generation, "MAX_TOKENS", 3)
    monkeypatch.setattr(documents, "PER_KIND", 0)  # drawing them all takes seconds
    write_lists(split_records(data, cache=None), tmp_path / "lists")
    return data


@pytest.fixture
def make_request(world: Path, tmp_path: Path, tiny_checkpoint: Path) -> Callable[..., RunRequest]:
    """Create requests for an evaluation of the tiny checkpoint; arguments change their fields."""

    def make(**fields: object) -> RunRequest:
        defaults: dict[str, object] = {
            "checkpoint": tiny_checkpoint,
            "build": tmp_path / "build",
            "out": tmp_path / "out",
            "data": world,
            "limit": 2,
            "config": EvaluationConfig(resamples=20),
        }
        return RunRequest(**{**defaults, **fields})  # type: ignore[arg-type]

    return make
