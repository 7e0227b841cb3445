"""Resumable states on disk: which of them are whole.

A kill can strike while a state is being written. A state counts only once its marker is there, and the marker is
written last. Knows nothing of what a state holds.
"""

from pathlib import Path

from transformers import TrainerCallback, TrainerState, TrainingArguments

MARKER = "complete"


class MarkComplete(TrainerCallback):
    """Write the marker after everything else of a state is on disk."""

    def on_save(self, args: TrainingArguments, state: TrainerState, *_args: object, **_kwargs: object) -> None:
        """Called by the Trainer when it has written a state."""
        (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / MARKER).touch()


def last_complete(folder: Path) -> Path | None:
    """The latest state that was written completely, or None."""
    states = [path.parent for path in folder.glob(f"checkpoint-*/{MARKER}")]
    return max(states, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
