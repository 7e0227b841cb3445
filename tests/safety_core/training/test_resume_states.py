from pathlib import Path

from safety_core.training.resume_states import find_last_complete


def test_only_whole_states_count(tmp_path: Path) -> None:
    assert find_last_complete(tmp_path) is None
    for step, whole in ((2, True), (10, True), (12, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{step}" / "complete").touch()
    assert find_last_complete(tmp_path) == tmp_path / "checkpoint-10"
