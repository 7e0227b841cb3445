import pytest

from safety_core.nano.pretrain.progress import StepBar


def test_a_bar_shows_the_step_and_what_is_finished(capsys: pytest.CaptureFixture[str]) -> None:
    with StepBar("tower", True) as advance:
        advance(3, 10)
        advance(7, 12)
    shown = capsys.readouterr().out
    assert "tower" in shown
    assert "7/12" in shown


def test_a_named_part_stands_behind_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    with StepBar("evaluate", True) as advance:
        advance.update_part("bare", 1, 2)
        advance.update_part("shipped", 2, 4)
    shown = capsys.readouterr().out
    assert "evaluate: shipped" in shown
    assert "2/4" in shown


def test_a_bar_that_is_not_shown_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with StepBar("tower", False) as advance:
        advance(3, 10)
        advance.update_part("bare", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_ends_where_its_step_fails(capsys: pytest.CaptureFixture[str]) -> None:
    bar = StepBar("tower", True)
    with pytest.raises(KeyboardInterrupt), bar:
        raise KeyboardInterrupt
    assert "tower" in capsys.readouterr().out
