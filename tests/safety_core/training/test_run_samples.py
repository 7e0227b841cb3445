import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.jsonl import write_jsonl
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError
from safety_core.model.safe_llava import SafeLlava
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.config import TrainConfig
from safety_core.training.run import train
from safety_core.training.run_samples import (
    SampleSet,
    build_evaluation_set,
    build_training_set,
    compute_class_weights,
    read_samples,
    select_trainable,
    skip_too_long,
)
from tests.helpers.datasets.training_rows import create_training_rows

ConfigFor = Callable[..., TrainConfig]


def test_texts_alone_teach_the_language_models_tokens_nothing(config_for: ConfigFor, training_jsonl: Path) -> None:
    pictured = sum(row["image"] is not None for row in create_training_rows())
    report = train(config_for(train_parts="lm", batch_size=1, max_steps=len(create_training_rows())))
    assert report.samples == pictured
    assert report.steps == len(create_training_rows())


def test_bad_records_and_pictures_stop_the_run_or_are_listed(
    config_for: ConfigFor, training_jsonl: Path, samples: tuple[Any, ...]
) -> None:
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    broken = training_jsonl.with_name("broken.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    file = training_jsonl.with_name("bad.jsonl")
    write_jsonl(file, [*records, records[0] | {"id": "x", "image": broken.name}])
    with pytest.raises(SampleError, match=r"bad\.jsonl:29: image"):
        train(config_for(data=(str(file),), max_steps=None, epochs=1.0))
    write_jsonl(file, [*records, records[0] | {"id": "x", "image": broken.name}, {"id": "y"}])
    with pytest.raises(SampleError, match=r"bad\.jsonl:30: "):
        train(config_for(data=(str(file),), out=f"{training_jsonl}.second"))
    report = train(config_for(data=(str(file),), skip_bad=True, out=f"{training_jsonl}.third"))
    assert [error.line for error in report.skipped] == [30, 29]
    assert report.samples == len(samples)


def test_what_is_left_out_of_the_held_out_data_is_listed_too(config_for: ConfigFor, training_jsonl: Path) -> None:
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    broken = training_jsonl.with_name("unreadable.png")
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    file = training_jsonl.with_name("bad-eval.jsonl")
    write_jsonl(file, [{"id": "x"}, *records[:4], records[0] | {"id": "y", "image": broken.name}])
    report = train(config_for(eval_data=(str(file),), skip_bad=True, max_steps=1))
    assert [(Path(error.file).name, error.line, error.field) for error in report.skipped] == [
        ("bad-eval.jsonl", 1, "record"),
        ("bad-eval.jsonl", 6, "image"),
    ]
    assert report.metrics


def test_prompts_that_are_too_long_stop_the_run_or_are_listed(config_for: ConfigFor, training_jsonl: Path) -> None:
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    turns = [{"from": "USER", "value": "word " * 600}, {"from": "ASSISTANT", "value": "No."}]
    file = training_jsonl.with_name("long.jsonl")
    write_jsonl(file, [records[0] | {"id": "long", "conversations": turns}, *records])
    common: dict[str, Any] = {"data": (str(file),), "eval_data": (str(file),), "max_steps": 1}
    with pytest.raises(SampleError, match=r"long\.jsonl:1: conversations: [Tt]he prompt has"):
        train(config_for(**common))
    report = train(config_for(skip_bad=True, **common))
    assert [(error.line, error.field) for error in report.skipped] == 2 * [(1, "conversations")]
    assert report.samples == len(records)


def test_unreadable_pictures_are_all_found_before_training(
    config_for: ConfigFor, training_jsonl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    whole = (training_jsonl.parent / "red-0.png").read_bytes()
    for index in range(3):
        (training_jsonl.parent / f"cut-{index}.png").write_bytes(whole[: len(whole) // 2])
    bad = [records[0] | {"id": f"cut-{index}", "image": f"cut-{index}.png"} for index in range(3)]
    file = training_jsonl.with_name("cut.jsonl")
    write_jsonl(file, [*records, *bad])
    monkeypatch.setattr("safety_core.training.run.load_checkpoint", None)
    for changes in ({"data": (str(file),)}, {"eval_data": (str(file),)}):
        config = config_for(**changes)
        with pytest.raises(SampleError) as caught:
            train(config)
        for index in range(3):
            assert f"cut.jsonl:{len(records) + 1 + index}: image: cut-{index}.png: " in str(caught.value)
        assert not config.run_path.exists()


def test_what_does_not_fit_the_context_is_an_error(config_for: ConfigFor, training_jsonl: Path) -> None:
    records = [json.loads(line) for line in training_jsonl.read_text(encoding="utf-8").splitlines()]
    turns = [{"from": "USER", "value": "What is it?"}, {"from": "ASSISTANT", "value": "red " * 500}]
    pictures = [f"red-{index % 3}.png" for index in range(40)]
    long_answer = records[0] | {"id": "long", "conversations": turns}
    many_pictures = records[0] | {"id": "many", "image": pictures}
    for bad in (long_answer, many_pictures):
        file = training_jsonl.with_name(f"{bad['id']}.jsonl")
        write_jsonl(file, [*records, bad])
        with pytest.raises(SampleError, match=rf"{bad['id']}\.jsonl:29: .*the model's context has 512"):
            train(config_for(data=(str(file),), max_steps=1))
        # The head reads no answer, and pictures one by one: it can learn from them.
        assert train(config_for(data=(str(file),), max_steps=1, train_parts="head", out=f"{file}.head")).samples == 29
        report = train(config_for(data=(str(file),), max_steps=1, skip_bad=True, out=f"{file}.out"))
        assert (report.samples, len(report.skipped)) == (28, 1)


def test_an_error_lists_the_first_twenty_others_and_counts_the_rest(
    config_for: ConfigFor, training_jsonl: Path, tmp_path: Path
) -> None:
    record = json.loads(training_jsonl.read_text(encoding="utf-8").splitlines()[0])
    (tmp_path / "bad.png").write_bytes(b"no picture")
    records = [record | {"id": str(number), "image": "bad.png"} for number in range(23)]
    write_jsonl(tmp_path / "one.jsonl", records[:1])
    with pytest.raises(SampleError) as alone:
        read_samples((str(tmp_path / "one.jsonl"),), DEFAULT_TAXONOMY, config_for())
    assert "see also" not in str(alone.value)
    write_jsonl(tmp_path / "bad.jsonl", records)
    with pytest.raises(SampleError) as caught:
        read_samples((str(tmp_path / "bad.jsonl"),), DEFAULT_TAXONOMY, config_for())
    first, *others = str(caught.value).splitlines()
    assert "bad.jsonl:1: image: " in first
    assert "23 records have such an image" in first
    assert [line.split(": ")[0].rpartition(":")[2] for line in others[:-1]] == [str(line) for line in range(2, 22)]
    assert others[-1].strip() == "and 2 more"


@pytest.mark.parametrize(("stage", "kept"), [(1, ["pictured"]), (2, ["pictured", "words"])])
def test_the_language_model_learns_from_answers_and_its_tokens_from_pictures(
    config_for: ConfigFor, samples: tuple[Sample, ...], stage: int, kept: list[str]
) -> None:
    pictured, words = replace(samples[0], id="pictured"), replace(samples[-1], id="words")
    open_question = replace(samples[0], id="open", conversation=samples[0].conversation[:1])
    skipped = (samples[0].create_error("bad", "image"),)
    found = select_trainable(SampleSet((open_question, words, pictured), skipped), config_for(stage=stage))
    assert sorted(sample.id for sample in found.samples) == kept
    assert found.skipped == skipped


def test_what_is_too_long_is_skipped_only_if_asked_for(
    config_for: ConfigFor, model: SafeLlava, samples: tuple[Sample, ...]
) -> None:
    turns = (replace(samples[0].conversation[0], text="word " * 600), *samples[0].conversation[1:])
    found = SampleSet((replace(samples[0], conversation=turns), samples[1]), ())
    assert skip_too_long(found, model, config_for(), train_lm=True) == found
    kept = skip_too_long(found, model, config_for(skip_bad=True), train_lm=True)
    assert kept.samples == samples[1:2]
    assert [error.field for error in kept.skipped] == ["conversations"]


@pytest.mark.parametrize(
    ("changes", "batches"), [({"max_steps": 3, "grad_accum": 2}, 6), ({"max_steps": None, "epochs": 2.0}, 8)]
)
def test_the_batches_of_a_run_follow_from_steps_or_epochs(
    config_for: ConfigFor, model: SafeLlava, samples: tuple[Sample, ...], changes: dict[str, Any], batches: int
) -> None:
    parts = {"train_head": True, "train_lm": False}
    assert len(build_training_set(model, samples, config_for(**changes), **parts)) == batches


def test_everything_is_measured_once_and_as_one_step(
    config_for: ConfigFor, model: SafeLlava, samples: tuple[Sample, ...], training_jsonl: Path
) -> None:
    parts = {"train_head": True, "train_lm": False}
    assert build_evaluation_set(model, samples, config_for(), **parts) is None
    found = build_evaluation_set(model, samples, config_for(eval_data=(str(training_jsonl),), batch_size=5), **parts)
    assert found is not None
    assert sorted(index for batch in found.planned for index in batch.samples) == list(range(len(samples)))
    assert found.accumulate == len(found) > 1
    assert not any(batch.head["text"] for batch in (found[0], found[1]) if batch.vision is not None)


def test_classes_weigh_the_same_unless_balance_is_asked_for(config_for: ConfigFor, samples: tuple[Sample, ...]) -> None:
    labelled = [replace(samples[0], label=RiskLabel(type=one, level=1 if one else 0)) for one in (0, 0, 0, 0, 1)]
    even = compute_class_weights(config_for(), labelled, DEFAULT_TAXONOMY)
    assert (set(even.types_C.tolist()), len(even.types_C), len(even.levels_L)) == ({1.0}, 7, 4)
    balanced = compute_class_weights(config_for(class_weights="balanced"), labelled, DEFAULT_TAXONOMY)
    for weights in (balanced.types_C, balanced.levels_L):
        assert weights[1] / weights[0] == pytest.approx(2.0)
