import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.errors import SampleError
from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.projector.imagined import Imagination
from safety_core.small.alignment.projector.recipe import Recipe
from safety_core.small.alignment.projector.tower_features import TowerFeatures, get_classifier
from safety_core.small.alignment.projector.training import (
    LOG_FILE,
    STATE_FILE,
    ProjectorTraining,
    TrainingData,
    compute_share,
    prepare_corpus,
    save_projector,
)
from safety_core.small.alignment.samples.writing import write_samples
from safety_core.small.parts.llava_projector import read_projector
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.photo_facts import make_photos
from tests.helpers.models.tiny_alignment import list_tiny_classes, make_bare_model

RECIPE = Recipe(steps=12, batch_size=8, imagined=2, lr=3e-3, warmup_steps=2, eval_steps=6, save_steps=4)


class KilledError(Exception):
    """Raised in place of a kill."""


def read_samples(folder: Path) -> list[Sample]:
    file = folder / "train.jsonl"
    if not file.exists():
        write_samples(make_photos(folder / "photos"), file, total=60, seed=1)
    return [sample for sample in read_jsonl(file, DEFAULT_TAXONOMY).samples if sample.images]


def create_training(model: SafeLlava, folder: Path, recipe: Recipe = RECIPE) -> ProjectorTraining:
    corpus = prepare_corpus(model, read_samples(folder), TowerFeatures(model, folder / "features").cache)
    imagination = Imagination(model, get_classifier(model), list_tiny_classes())
    data = TrainingData(train=corpus, development=corpus)
    return ProjectorTraining(model, data, recipe, folder / "run", imagination=imagination, say=lambda _: None)


def test_only_the_projector_learns(model: SafeLlava, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    training = create_training(model, tmp_path)
    first = training.measure()
    last = training.run()["loss"]
    assert last < first
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all("multi_modal_projector" in name for name in changed)
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / LOG_FILE).read_text().splitlines()]
    assert steps == [0, 6, 12]


def test_a_killed_run_continues_where_it_was(model: SafeLlava, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = create_training(model, tmp_path / "whole")
    whole.run()
    again = create_training(make_bare_model(tmp_path / "again-backbone"), tmp_path / "again")
    take_step = ProjectorTraining._step

    def stop_at_seven(self: ProjectorTraining, step: int) -> float:
        if step == 7:
            raise KilledError
        return take_step(self, step)

    monkeypatch.setattr(ProjectorTraining, "_step", stop_at_seven)
    with pytest.raises(KilledError):
        again.run()
    monkeypatch.undo()
    assert (tmp_path / "again" / "run" / STATE_FILE).exists()
    continued = create_training(make_bare_model(tmp_path / "continued-backbone"), tmp_path / "again")
    continued.run()
    for name, tensor in whole.projector.state_dict().items():
        torch.testing.assert_close(continued.projector.state_dict()[name], tensor)


def test_the_written_projector_is_the_one_that_the_assembly_reads(model: SafeLlava, tmp_path: Path) -> None:
    projector = model.backbone.model.multi_modal_projector
    save_projector(projector, tmp_path / "projector.safetensors")
    read_projector(
        tmp_path / "projector.safetensors", vision_width=model.dims.vision_width, llm_width=model.dims.llm_width
    )
    assert all(tensor.dtype == torch.float16 for tensor in load_file(tmp_path / "projector.safetensors").values())


def test_a_sample_without_an_answer_is_an_error(model: SafeLlava, tmp_path: Path) -> None:
    sample = read_samples(tmp_path)[0]
    unanswered = replace(sample, conversation=sample.conversation[:1])
    with pytest.raises(SampleError, match="an answer are needed"):
        prepare_corpus(model, [unanswered], TowerFeatures(model, tmp_path / "features").cache)


def test_the_learning_rate_rises_and_falls() -> None:
    shares = [compute_share(step, Recipe(steps=100, warmup_steps=10)) for step in range(100)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == pytest.approx(1.0)
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[-1] < 0.01
