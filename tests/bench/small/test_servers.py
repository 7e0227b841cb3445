from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import typer

from bench.load.http_client import Answer
from bench.small.servers import UNTRAINED, check_checkpoint, require_answers, take_turns
from safety_core.training.starting_checkpoint import create_fresh_checkpoint
from tests.helpers.models.tiny_convolutional import make_convolutional_checkpoint, write_convolutional_backbone


def create_answer(*, status: int = 200, tokens: int = 4, refused: bool = False) -> Answer:
    return Answer(status=status, sent=0.0, seconds=1.0, first_s=0.5, tokens=tokens, refused=refused)


def test_turns_alternate_and_the_first_is_the_warm_up() -> None:
    called: list[str] = []
    results = list(take_turns({name: partial(called.append, name) for name in "ab"}, rounds=2))
    assert called == ["b", "a", "a", "b", "b", "a"]
    assert [name for name, _ in results] == ["a", "b", "b", "a"]


@pytest.mark.parametrize(
    "answers", [[create_answer(status=503)], [create_answer(tokens=3)], [create_answer(), create_answer(refused=True)]]
)
def test_answers_that_are_no_measurement_are_refused(answers: Sequence[Answer]) -> None:
    with pytest.raises(typer.BadParameter):
        require_answers("toy", answers, tokens=4)
    assert require_answers("toy", [create_answer()], tokens=4)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="nowhere"):
        check_checkpoint(tmp_path / "nowhere")


def test_a_report_says_that_a_checkpoint_was_never_trained(tmp_path: Path) -> None:
    assert check_checkpoint(make_convolutional_checkpoint(tmp_path / "trained")) == []
    backbone = write_convolutional_backbone(tmp_path / "backbone")
    assert check_checkpoint(create_fresh_checkpoint(str(backbone), tmp_path / "fresh")) == [UNTRAINED]
