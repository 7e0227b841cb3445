from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.training.config_file import load_config

NEEDED = {"backbone": "b", "data": ["d.jsonl"], "out": "o"}


def test_the_papers_values_are_the_defaults() -> None:
    first, second = load_config(flags=NEEDED), load_config(flags={**NEEDED, "stage": 2})
    assert (first.lr, first.epochs, first.lambda_, first.batch_size * first.grad_accum) == (1e-5, 3.0, 10.0, 128)
    assert (first.count_warmup_steps(10_000), second.count_warmup_steps(10_000)) == (20, 300)
    assert (second.lora_r, second.lora_alpha, second.lora_dropout) == (256, 16, 0.05)


def test_a_short_run_keeps_a_default_warm_up_short() -> None:
    config = load_config(flags=NEEDED)
    assert [config.count_warmup_steps(steps) for steps in (2, 150, 1000)] == [0, 15, 20]


def test_a_warm_up_that_was_asked_for_is_as_long_as_asked_for() -> None:
    config = load_config(flags={**NEEDED, "warmup_steps": 30})
    assert [config.count_warmup_steps(steps) for steps in (2, 40, 500)] == [2, 30, 30]
    assert load_config(flags={**NEEDED, "warmup_steps": 0}).count_warmup_steps(1000) == 0


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("lr: 1e-3\nepochs: 5\nbatch_size: 4\ndata: a.jsonl\n", encoding="utf-8")
    config = load_config(
        file, ["epochs=6", "batch_size=8"], {"backbone": "b", "out": "o", "batch_size": 16, "lr": None}
    )
    assert (config.lr, config.epochs, config.batch_size, config.data) == (1e-3, 6.0, 16, ("a.jsonl",))


def test_nested_assignments_reach_the_modules_shape() -> None:
    config = load_config(assignments=["safety.head.num_heads=4", "safety.num_safety_tokens=2"], flags=NEEDED)
    assert config.safety == {"head": {"num_heads": 4}, "num_safety_tokens": 2}


def test_lambda_may_be_written_as_people_write_it() -> None:
    assert load_config(assignments=["lambda=3"], flags=NEEDED).lambda_ == 3.0


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("lr", "field=value"),
        ("speed=3", "speed: unknown field"),
        ("lr=fast", "lr: a number is needed"),
        ("stage=3", "stage"),
        ("stage=true", "stage"),
        ("batch_size=2.5", "batch_size: an integer"),
        ("batch_size=0", "batch_size: a number greater than 0"),
        ("max_steps=0", "max_steps"),
        ("clip=-1", "clip"),
        ("hint_dropout=1", "hint_dropout"),
        ("train_parts=none", "train_parts: must be one of"),
        ("precision=fp8", "precision: must be one of"),
        ("safety=big", "safety: a mapping"),
        ("data={}", "data: a list is needed"),
        ("data=[]", "data: a list of at least one entry is needed"),
        ("skip_bad=1", "skip_bad: true or false"),
        ("lr={", "cannot be read as YAML"),
        ("lr.x=1", "lr: a number is needed"),
    ],
)
def test_a_bad_value_is_named(assignment: str, message: str) -> None:
    flags = {"backbone": "b", "out": "o"} if assignment.startswith("data") else NEEDED
    with pytest.raises(ConfigError, match=message):
        load_config(assignments=[assignment], flags=flags)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^backbone: the field is missing$"):
        load_config(flags={"data": ["d"], "out": "o"})
    with pytest.raises(ConfigError, match=r"^the fields backbone, data and out are missing$"):
        load_config()


def test_stage_2_trains_the_language_model() -> None:
    with pytest.raises(ConfigError, match="train_parts"):
        load_config(flags={**NEEDED, "stage": 2, "train_parts": "head"})


@pytest.mark.parametrize("content", ["[1]", "{", "\x00"])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        load_config(file, flags=NEEDED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochs: 1\nlr: fast\n", r"c\.yaml:2: lr: a number is needed"),
        ("epochs: 1\n\nspeed: 3\n", r"c\.yaml:3: speed: unknown field"),
        ("lr: 1e-3\nlr: 1e-4\n", r"c\.yaml:2: lr: the field occurs twice"),
        ("stage: 2\ntrain_parts: head\n", r"c\.yaml:2: train_parts: stage 2 trains"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_config(file, flags=NEEDED)


def test_a_fault_in_a_flag_is_no_fault_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("batch_size: 4\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^batch_size: a number greater than 0"):
        load_config(file, flags={**NEEDED, "batch_size": 0})
