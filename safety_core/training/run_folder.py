"""The folder of a training run: the files in it, and whether it belongs to a config.

Knows nothing of samples, batches or optimizers.
"""

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path

from safety_core.errors import ConfigError, SampleError
from safety_core.files import describe_read_error
from safety_core.model.checkpoint.sha256_manifest import MANIFEST
from safety_core.training.config import TrainConfig

CONFIG_FILE = "train-run.json"
START_DIR = "start"
STATES_DIR = "states"
TENSORBOARD_DIR = "tensorboard"
LOG_FILE = "log.jsonl"

_RECORDS = ("data", "eval_data")
"""Fields that name files of records."""

_NAMES_FILES = ("taxonomy", "hints")
"""Fields that name a file whose content goes into the starting checkpoint."""

_FREE_TO_CHANGE = frozenset({"progress", "log_steps", "save_steps", "workers", "tensorboard", "run_dir"})
"""Fields that a resumed run may change, because they do not change the result."""


def claim(folder: Path, config: TrainConfig, *, resumable: bool) -> None:
    """Claim the run folder for a config, and remove the files of a run with another config if it cannot be resumed.

    The comparison includes the settings and the content of the files that they name: records, taxonomy, hints and the
    manifest of the starting checkpoint. Images and the weights of a bare backbone are assumed to be unchanged.

    Raises:
        ConfigError: the folder holds a resumable run with another config or other files.
    """
    requested_settings = {
        name: value for name, value in config.model_dump(mode="json").items() if name not in _FREE_TO_CHANGE
    }
    requested_settings |= {
        f"{name}_sha256": [hash_file(Path(file)) for file in getattr(config, name)] for name in _RECORDS
    }
    requested_settings |= {f"{name}_sha256": _hash_if_readable(getattr(config, name)) for name in _NAMES_FILES}
    # A checkpoint's manifest covers all of its files; a bare backbone has no manifest and is never written to.
    requested_settings["backbone_sha256"] = _hash_if_readable(str(Path(config.backbone) / MANIFEST))
    text, file = json.dumps(requested_settings, indent=2), folder / CONFIG_FILE
    if file.exists():
        found, requested = json.loads(file.read_text(encoding="utf-8")), json.loads(text)
        differing = sorted(name for name in {*found, *requested} if found.get(name) != requested.get(name))
        if not differing:
            return
        if resumable:
            raise ConfigError(
                f"run_dir: {folder} contains an unfinished run with another {', '.join(differing)}; "
                "finish it, or remove the folder to start again"
            )
        for name in (START_DIR, STATES_DIR):
            shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n", encoding="utf-8")


def release(folder: Path, *, resumable: bool) -> None:
    """Remove the files of a failed run from its folder, unless the run can be resumed.

    Other files stay, and so does the folder if it contains any.
    """
    if resumable or not (folder / CONFIG_FILE).is_file():
        return
    for name in (START_DIR, STATES_DIR, TENSORBOARD_DIR):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (CONFIG_FILE, LOG_FILE):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def hash_file(file: Path) -> str:
    """Compute the sha256 of a data file; raises SampleError if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as exc:
        raise SampleError(f"the file {describe_read_error(exc)}", file=str(file), line=0, field="file") from exc


def _hash_if_readable(file: str | None) -> str | None:
    """Compute the sha256 of a file; None if it cannot be read, which its reader reports later."""
    try:
        return None if file is None else hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return None
