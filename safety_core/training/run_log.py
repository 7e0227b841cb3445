"""The output of a run while it runs: a JSONL log, a progress bar and TensorBoard logs.

A resumed run first removes the log lines of the steps that it repeats, so the log reads as one uninterrupted run.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback

from safety_core.errors import ConfigError, DivergedError
from safety_core.training.batches.dataset import BatchDataset
from safety_core.training.config import TrainConfig
from safety_core.training.losses.stage_loss import StageLoss, measure
from safety_core.training.run_folder import TENSORBOARD_DIR


class JsonLog(TrainerCallback):
    """Writes the Trainer's log lines, measures on held-out data, and stops the run if the loss is not finite.

    Args:
        file: the log.
        epochs: passes over the data in the whole run; the Trainer counts them as one.
        loss: the module that is trained.
        held_out: data to measure on, or None.
        config: gives ``eval_steps``.
    """

    def __init__(
        self, file: Path, *, epochs: int, loss: StageLoss, held_out: BatchDataset | None, config: TrainConfig
    ) -> None:
        self._file, self._epochs, self._loss, self._held_out = file, epochs, loss, held_out
        self._every = config.eval_steps
        self._started = time.monotonic()

    def rewind(self, step: int) -> None:
        """Remove the lines of later steps than ``step``."""
        if self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines()
            kept_lines = [line for line in lines if _is_whole(line) and json.loads(line)["step"] <= step]
            self._file.write_text("".join(f"{line}\n" for line in kept_lines), encoding="utf-8")

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one line."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(values) + "\n")

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the Trainer with a log line."""
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs:
            return
        epoch = (state.epoch or 0.0) * self._epochs
        seconds = round(time.monotonic() - self._started, 1)
        self.write({"step": state.global_step, **logs, "epoch": round(epoch, 3), "seconds": seconds})
        if not math.isfinite(logs["loss"]):
            raise DivergedError(f"the loss is not finite at step {state.global_step}; try a lower learning rate")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the Trainer after an optimizer step."""
        if self._held_out is not None and self._every and state.global_step % self._every == 0:
            self.write({"step": state.global_step, **measure(self._loss, self._held_out)})


class ProgressBar(TrainerCallback):
    """Shows a bar on a terminal; prints a line at every log step elsewhere."""

    def __init__(self, steps: int) -> None:
        self._bar = Progress(
            TextColumn("train"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._task = self._bar.add_task("", total=steps)

    def on_train_begin(self, *_args: object, **_kwargs: object) -> None:
        """Called by the Trainer before the first step."""
        if self._bar.console.is_terminal:
            self._bar.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the Trainer after an optimizer step."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called by the Trainer with a log line."""
        losses = " ".join(f"{name} {value:.3f}" for name, value in kwargs["logs"].items() if name.endswith("loss"))
        if self._bar.console.is_terminal:
            self._bar.update(self._task, description=losses)
        else:
            self._bar.console.print(f"step {state.global_step}/{state.max_steps} {losses}")

    def stop(self) -> None:
        """Stop the bar: the terminal shows its cursor again."""
        if self._bar.live.is_started:
            self._bar.stop()


@contextmanager
def open_displays(config: TrainConfig, folder: Path, steps: int) -> Iterator[list[TrainerCallback]]:
    """Open the callbacks that show a run of ``steps``: a progress bar and TensorBoard logs.

    The bar stops also where the run fails: the terminal would stay without its cursor.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    bars = [ProgressBar(steps)] if config.progress else []
    displays: list[TrainerCallback] = [*bars]
    if config.tensorboard:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as exc:
            raise ConfigError("tensorboard: it is not installed; install the extra 'eval'") from exc
        # By default, these logs would be written among the states, which are deleted after the run.
        displays.append(TensorBoardCallback(SummaryWriter(str(folder / TENSORBOARD_DIR))))
    try:
        yield displays
    finally:
        for bar in bars:
            bar.stop()


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
