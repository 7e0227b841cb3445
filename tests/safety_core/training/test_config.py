from pathlib import Path

from safety_core.training.config import TrainConfig


def test_the_run_folder_stands_beside_the_checkpoint() -> None:
    config = TrainConfig(backbone="b", data=("d",), out="weights/mine/")
    assert config.run_path == Path("weights/mine.run")
