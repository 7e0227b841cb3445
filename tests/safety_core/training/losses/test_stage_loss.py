from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safety_core.data.samples import Sample
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.dataset import BatchDataset, TrainingBatch
from safety_core.training.batches.plan import MicroBatch
from safety_core.training.config import TrainConfig
from safety_core.training.losses.head_loss import ClassWeights
from safety_core.training.losses.stage_loss import Meter, StageLoss, drop_channels, measure
from safety_core.training.run import train
from tests.helpers.datasets.corpora import build_corpus
from tests.helpers.training_runs import read_weights

ConfigFor = Callable[..., TrainConfig]
HEAD_FIGURES = ("type_loss", "level_loss", "type_accuracy", "level_accuracy")


@pytest.fixture
def create_loss(model: SafeLlava, config_for: ConfigFor) -> Callable[..., StageLoss]:
    """Create a loss of the model, with changes of the config."""
    taxonomy = model.taxonomy
    classes = ClassWeights.create_even(len(taxonomy.types), len(taxonomy.levels))
    model.backbone.model.vision_tower.requires_grad_(False)
    return lambda **changes: StageLoss(model, config_for(**changes), classes)


@pytest.fixture
def batch(model: SafeLlava, samples: tuple[Sample, ...]) -> TrainingBatch:
    """A batch with pictures and with words alone."""
    return BatchDataset(build_corpus(model, samples), [MicroBatch((0, 1, 7, len(samples) - 1), 0)])[0]


def test_the_head_alone_never_runs_the_language_model(
    config_for: ConfigFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained_checkpoint: Path
) -> None:
    def forbidden(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the language model ran")

    monkeypatch.setattr("safety_core.training.losses.stage_loss.compute_answer_loss", forbidden)
    monkeypatch.setattr("transformers.LlamaModel.forward", forbidden)
    report = train(config_for(train_parts="head", cache_features=str(tmp_path / "cache")))
    before, after = read_weights(untrained_checkpoint), read_weights(report.out)
    assert torch.equal(before["llm_tokens_SD"], after["llm_tokens_SD"])
    assert not torch.equal(before["head.type_classifier.weight"], after["head.type_classifier.weight"])


def test_dropped_channels_are_zero_for_the_whole_image_and_the_others_are_scaled() -> None:
    torch.manual_seed(0)
    dropped = drop_channels(torch.ones(3, 4, 200), 0.25)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.1)


def test_channels_are_dropped_in_training_only(create_loss: Callable[..., StageLoss], batch: TrainingBatch) -> None:
    loss = create_loss(train_parts="head", feature_dropout=0.5)
    results = {}
    for training in (True, False):
        loss.train(training)
        with torch.no_grad():
            results[training] = {float(loss(batch=batch)["loss"]) for _ in range(3)}
    assert len(results[True]) == 3
    assert len(results[False]) == 1


def test_a_meter_gives_means_over_the_passes_since_it_was_read() -> None:
    meter = Meter()
    meter.add({"a": torch.tensor(1.0), "b": torch.tensor(6.0)})
    meter.add({"a": torch.tensor(3.0)})
    assert meter.drain() == {"a": 2.0, "b": 3.0}
    assert meter.drain() == {}
    meter.add({"a": torch.tensor(5.0, requires_grad=True)})
    assert meter.drain() == {"a": 5.0}


def test_the_loss_is_that_of_the_answers_and_lambda_times_that_of_the_head(
    create_loss: Callable[..., StageLoss], batch: TrainingBatch
) -> None:
    loss = create_loss(lambda_=10.0).eval()
    total = loss(batch=batch)["loss"]
    parts = loss.meter.drain()
    assert total.item() == pytest.approx(parts["lm_loss"] + 10 * (parts["type_loss"] + parts["level_loss"]), rel=1e-5)
    without = create_loss(lambda_=0.0).eval()
    assert without(batch=batch)["loss"].item() == pytest.approx(parts["lm_loss"], rel=1e-5)


def test_a_part_without_data_is_left_out(
    create_loss: Callable[..., StageLoss], model: SafeLlava, samples: tuple[Sample, ...]
) -> None:
    loss = create_loss().eval()
    for parts, names in (
        ({"lm": False}, {"type_loss", "level_loss", "type_accuracy", "level_accuracy"}),
        ({"head": False}, {"lm_loss"}),
    ):
        loss(batch=BatchDataset(build_corpus(model, samples, **parts), [MicroBatch((0, 1), 0)])[0])
        assert set(loss.meter.drain()) == names


def test_words_alone_have_a_loss_too(
    create_loss: Callable[..., StageLoss], model: SafeLlava, samples: tuple[Sample, ...]
) -> None:
    words = len(samples) - 1
    batch = BatchDataset(build_corpus(model, samples), [MicroBatch((words,), 0)])[0]
    assert batch.vision is None
    assert create_loss()(batch=batch)["loss"].item() > 0


def test_every_module_that_learns_gets_a_gradient_and_the_tower_none(
    create_loss: Callable[..., StageLoss], model: SafeLlava, batch: TrainingBatch
) -> None:
    create_loss()(batch=batch)["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.safety.parameters())
    assert all(parameter.grad is None for parameter in model.backbone.model.vision_tower.parameters())


def test_accuracies_are_measured_outside_training_alone(
    create_loss: Callable[..., StageLoss], batch: TrainingBatch
) -> None:
    loss = create_loss()
    loss.train()(batch=batch)
    assert set(loss.meter.drain()) == {"lm_loss", "type_loss", "level_loss"}
    loss.eval()(batch=batch)
    assert {"type_accuracy", "level_accuracy"} < set(loss.meter.drain())


def test_the_frozen_tower_and_projector_stay_in_evaluation_mode(create_loss: Callable[..., StageLoss]) -> None:
    loss = create_loss().train()
    backbone = loss.model.backbone.model
    modes = [part.training for part in (backbone.vision_tower, backbone.multi_modal_projector, loss.model.safety)]
    assert modes == [False, False, True]
    assert not loss.eval().model.safety.training


def test_measures_are_means_over_the_samples_whatever_the_batches(
    create_loss: Callable[..., StageLoss], model: SafeLlava, samples: tuple[Sample, ...]
) -> None:
    corpus, loss = build_corpus(model, samples), create_loss()
    every = tuple(range(len(samples)))
    split = [MicroBatch(every[start : start + 5], 0) for start in range(0, len(every), 5)]
    whole = measure(loss, BatchDataset(corpus, [MicroBatch(every, 0)], surface_weight=0.0))
    parts = measure(loss, BatchDataset(corpus, split, accumulate=len(split), surface_weight=0.0))
    assert set(whole) == {f"eval_{name}" for name in ("lm_loss", *HEAD_FIGURES)}
    assert parts == pytest.approx(whole, rel=1e-4)


def test_an_accuracy_is_the_share_of_the_samples_that_the_head_gets_right(
    create_loss: Callable[..., StageLoss], model: SafeLlava, samples: tuple[Sample, ...]
) -> None:
    head = model.safety.head
    assert head is not None
    safe = torch.nn.functional.one_hot(torch.tensor(model.taxonomy.safe_index), len(model.taxonomy.types))
    with torch.no_grad():
        head.type_classifier.weight.zero_()
        head.type_classifier.bias.copy_(safe)
    every = MicroBatch(tuple(range(len(samples))), 0)
    found = measure(create_loss(), BatchDataset(build_corpus(model, samples), [every], surface_weight=0.0))
    share = sum(sample.label.type == model.taxonomy.safe_index for sample in samples) / len(samples)
    assert found["eval_type_accuracy"] == pytest.approx(share)


def test_measuring_does_not_disturb_training(
    create_loss: Callable[..., StageLoss], model: SafeLlava, samples: tuple[Sample, ...], batch: TrainingBatch
) -> None:
    loss = create_loss().train()
    loss(batch=batch)
    broken = BatchDataset(build_corpus(model, samples), [MicroBatch((0,), 0), MicroBatch((len(samples),), 0)])
    with pytest.raises(IndexError):
        measure(loss, broken)
    assert loss.training
    assert set(loss.meter.drain()) == {"lm_loss", "type_loss", "level_loss"}
