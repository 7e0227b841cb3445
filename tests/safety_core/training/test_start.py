import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.training.config import TrainConfig
from safety_core.training.start import CONFIG_FILE, START_DIR, STATES_DIR, claim

ConfigFor = Callable[..., TrainConfig]


@pytest.fixture
def named(tmp_path: Path, config_for: ConfigFor) -> TrainConfig:
    """A config that names every file that it can name."""
    for name in ("taxonomy", "hints"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return config_for(taxonomy=str(tmp_path / "taxonomy"), hints=str(tmp_path / "hints"))


def claimed(folder: Path, config: TrainConfig, *, resumable: bool = False) -> set[str]:
    """What a claim leaves of a start and a state."""
    for ours in (START_DIR, STATES_DIR):
        (folder / ours).mkdir(parents=True, exist_ok=True)
    claim(folder, config, resumable=resumable)
    return {path.name for path in folder.iterdir()} - {CONFIG_FILE}


def forget(folder: Path, *fields: str) -> None:
    """Make the record one of a release that did not keep these fields."""
    record = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    kept: dict[str, Any] = {name: value for name, value in record.items() if name not in fields}
    (folder / CONFIG_FILE).write_text(json.dumps(kept), encoding="utf-8")


def test_a_repeated_claim_keeps_what_is_there(tmp_path: Path, named: TrainConfig) -> None:
    claim(tmp_path / "run", named, resumable=False)
    assert claimed(tmp_path / "run", named) == {START_DIR, STATES_DIR}


@pytest.mark.parametrize("name", ["taxonomy", "hints"])
def test_a_changed_file_makes_another_run(tmp_path: Path, named: TrainConfig, name: str) -> None:
    folder = tmp_path / "run"
    claim(folder, named, resumable=False)
    (tmp_path / name).write_text('{"other": {}}', encoding="utf-8")
    with pytest.raises(ConfigError, match=f"another {name}_sha256;"):
        claimed(folder, named, resumable=True)
    assert claimed(folder, named) == set()


def test_an_older_record_is_resumed_but_not_started_from_again(tmp_path: Path, named: TrainConfig) -> None:
    folder = tmp_path / "run"
    claim(folder, named, resumable=False)
    forget(folder, "taxonomy_sha256", "hints_sha256")
    assert claimed(folder, named, resumable=True) == {START_DIR, STATES_DIR}
    assert claimed(folder, named) == set()


def test_an_older_record_without_such_files_is_the_same_run(tmp_path: Path, config_for: ConfigFor) -> None:
    folder = tmp_path / "run"
    claim(folder, config_for(), resumable=False)
    forget(folder, "taxonomy_sha256", "hints_sha256")
    assert claimed(folder, config_for()) == {START_DIR, STATES_DIR}


def test_a_file_that_cannot_be_read_is_left_to_who_needs_it(tmp_path: Path, config_for: ConfigFor) -> None:
    claim(tmp_path / "run", config_for(hints=str(tmp_path / "gone")), resumable=False)
    assert (tmp_path / "run" / CONFIG_FILE).is_file()
