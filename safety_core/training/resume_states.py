"""Resumable states on disk: marks complete states, and finds the latest one.

A process can be killed while it writes a state. A state is complete only if it has a marker, which is written last.
Knows nothing of the content of a state.
"""

from pathlib import Path

from transformers import TrainerCallback, TrainerState, TrainingArguments

_MARKER = "complete"


class CompletionMarker(TrainerCallback):
    """Writes the marker after everything else of a state is on disk."""

    def on_save(self, args: TrainingArguments, state: TrainerState, *_args: object, **_kwargs: object) -> None:
        """Called by the Trainer when it has written a state."""
        (Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / _MARKER).touch()


def find_last_complete(folder: Path) -> Path | None:
    """Find the latest state that was written completely."""
    states = [path.parent for path in folder.glob(f"checkpoint-*/{_MARKER}")]
    return max(states, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
