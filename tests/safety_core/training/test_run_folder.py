import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.checkpoint import init_checkpoint
from safety_core.training.config import TrainConfig
from safety_core.training.run_folder import CONFIG_FILE, START_DIR, STATES_DIR, claim

ConfigFor = Callable[..., TrainConfig]


@pytest.fixture
def named(tmp_path: Path, config_for: ConfigFor) -> TrainConfig:
    """A config that names every file that it can name."""
    for name in ("taxonomy", "hints", "eval_data"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return config_for(
        taxonomy=str(tmp_path / "taxonomy"),
        hints=str(tmp_path / "hints"),
        eval_data=(str(tmp_path / "eval_data"),),
    )


def claimed(folder: Path, config: TrainConfig, *, resumable: bool = False) -> set[str]:
    """What a claim leaves of a start and a state."""
    for ours in (START_DIR, STATES_DIR):
        (folder / ours).mkdir(parents=True, exist_ok=True)
    claim(folder, config, resumable=resumable)
    return {path.name for path in folder.iterdir()} - {CONFIG_FILE}


def test_a_repeated_claim_keeps_what_is_there(tmp_path: Path, named: TrainConfig) -> None:
    claim(tmp_path / "run", named, resumable=False)
    assert claimed(tmp_path / "run", named) == {START_DIR, STATES_DIR}


@pytest.mark.parametrize("name", ["taxonomy", "hints", "eval_data"])
def test_a_changed_file_makes_another_run(tmp_path: Path, named: TrainConfig, name: str) -> None:
    folder = tmp_path / "run"
    claim(folder, named, resumable=False)
    (tmp_path / name).write_text('{"other": {}}', encoding="utf-8")
    with pytest.raises(ConfigError, match=f"another {name}_sha256;"):
        claimed(folder, named, resumable=True)
    assert claimed(folder, named) == set()


def test_another_checkpoint_at_the_same_path_makes_another_run(
    tmp_path: Path, tiny_backbone: Path, config_for: ConfigFor
) -> None:
    start, folder = tmp_path / "start", tmp_path / "run"
    config = config_for(backbone=str(start))
    init_checkpoint(tiny_backbone, start, seed=0)
    claim(folder, config, resumable=True)
    assert claimed(folder, config, resumable=True) == {START_DIR, STATES_DIR}
    shutil.rmtree(start)
    init_checkpoint(tiny_backbone, start, seed=1)
    with pytest.raises(ConfigError, match="another backbone_sha256;"):
        claim(folder, config, resumable=True)


def test_a_file_that_cannot_be_read_is_left_to_who_needs_it(tmp_path: Path, config_for: ConfigFor) -> None:
    claim(tmp_path / "run", config_for(hints=str(tmp_path / "gone")), resumable=False)
    assert (tmp_path / "run" / CONFIG_FILE).is_file()
