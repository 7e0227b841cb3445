import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rich
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerControl, TrainerState, TrainingArguments

from safety_core.data.samples import Sample
from safety_core.errors import ConfigError, DivergedError
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.dataset import BatchDataset
from safety_core.training.batches.plan import MicroBatch
from safety_core.training.config import TrainConfig
from safety_core.training.losses.head_loss import ClassWeights
from safety_core.training.losses.stage_loss import StageLoss
from safety_core.training.run import train
from safety_core.training.run_log import JsonLog, open_displays
from tests.helpers.datasets.corpora import build_corpus
from tests.helpers.training_runs import read_log

ConfigFor = Callable[..., TrainConfig]
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Lines of the log in a folder."""
    file = folder / "log.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


@pytest.fixture
def log(model: SafeLlava, samples: tuple[Sample, ...], config_for: ConfigFor, tmp_path: Path) -> JsonLog:
    """The log of a run of two passes that measures on two samples at every second step."""
    config = config_for(eval_steps=2)
    classes = ClassWeights.create_even(len(model.taxonomy.types), len(model.taxonomy.levels))
    held_out = BatchDataset(build_corpus(model, samples, lm=False), [MicroBatch((0, 1), 0)], surface_weight=0.0)
    loss = StageLoss(model, config, classes)
    return JsonLog(tmp_path / "log.jsonl", epochs=2, loss=loss, held_out=held_out, config=config)


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    """What a Trainer tells its callbacks."""
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    return SimpleNamespace(args=arguments, state=TrainerState(), control=TrainerControl())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What rich writes to a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    shown = io.StringIO()
    rich.reconfigure(file=shown, force_terminal=True, width=120)
    yield shown
    rich.reconfigure()


def test_tensorboard_logs_outlive_the_run(config_for: ConfigFor) -> None:
    config = config_for(tensorboard=True, max_steps=3)
    train(config)
    events = EventAccumulator(str(config.run_path / "tensorboard")).Reload()
    losses = [event.value for event in events.Scalars("train/loss")]
    assert losses == pytest.approx([line["loss"] for line in read_log(config) if "loss" in line])


def test_a_line_has_the_epoch_of_the_whole_run(log: JsonLog, tmp_path: Path, trainer: Any) -> None:
    trainer.state.global_step, trainer.state.epoch = 3, 0.5
    log.on_log(**vars(trainer), logs={"loss": 1.25, "learning_rate": 0.1})
    (line,) = read_lines(tmp_path)
    assert line.pop("seconds") >= 0
    assert line == {"step": 3, "loss": 1.25, "learning_rate": 0.1, "epoch": 1.0}


def test_a_line_without_a_loss_is_not_written(log: JsonLog, tmp_path: Path, trainer: Any) -> None:
    log.on_log(**vars(trainer), logs={"train_runtime": 3.0})
    assert read_lines(tmp_path) == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_written_and_stops_the_run(
    log: JsonLog, tmp_path: Path, trainer: Any, loss: float
) -> None:
    trainer.state.global_step = 7
    with pytest.raises(DivergedError, match="at step 7"):
        log.on_log(**vars(trainer), logs={"loss": loss})
    assert [line["step"] for line in read_lines(tmp_path)] == [7]


def test_a_resumed_run_removes_the_lines_of_later_steps(log: JsonLog, tmp_path: Path) -> None:
    log.rewind(0)
    for step in (1, 2, 2, 3):
        log.write({"step": step})
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"step": 2, "lo')
    log.rewind(2)
    log.write({"step": 3})
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 2, 2, 3]
    log.rewind(0)
    assert read_lines(tmp_path) == []


def test_held_out_data_is_measured_at_every_so_many_steps(log: JsonLog, tmp_path: Path, trainer: Any) -> None:
    for step in range(1, 6):
        trainer.state.global_step = step
        log.on_step_end(**vars(trainer))
    lines = read_lines(tmp_path)
    assert [line["step"] for line in lines] == [2, 4]
    assert all("eval_type_accuracy" in line for line in lines)


def test_elsewhere_than_on_a_terminal_each_line_is_printed(
    config_for: ConfigFor, tmp_path: Path, trainer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer.state.global_step, trainer.state.max_steps = 3, 10
    with open_displays(config_for(progress=True), tmp_path, 10) as displays:
        (bar,) = displays
        bar.on_train_begin(**vars(trainer))
        bar.on_step_end(**vars(trainer))
        bar.on_log(**vars(trainer), logs={"loss": 1.5, "lm_loss": 0.25, "learning_rate": 0.1})
    assert capsys.readouterr().out == "step 3/10 loss 1.500 lm_loss 0.250\n"


def test_a_run_that_fails_leaves_the_terminal_with_its_cursor(
    config_for: ConfigFor, tmp_path: Path, trainer: Any, terminal: io.StringIO
) -> None:
    trainer.state.global_step = 3

    def fail() -> None:
        with open_displays(config_for(progress=True), tmp_path, 10) as displays:
            (bar,) = displays
            bar.on_train_begin(**vars(trainer))
            bar.on_step_end(**vars(trainer))
            bar.on_log(**vars(trainer), logs={"loss": 1.5})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    shown = terminal.getvalue()
    assert "3/10" in shown
    assert "loss 1.500" in shown
    assert shown.rfind(SHOW_CURSOR) > shown.rfind(HIDE_CURSOR) >= 0


def test_a_run_without_displays_shows_nothing(config_for: ConfigFor, tmp_path: Path) -> None:
    with open_displays(config_for(), tmp_path, 10) as displays:
        assert displays == []


def test_without_tensorboard_the_error_says_what_to_install(
    config_for: ConfigFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(ConfigError, match="install the extra 'eval'"),
        open_displays(config_for(tensorboard=True), tmp_path, 10),
    ):
        pass
