import pytest

from safety_core.cli.progress import show_progress


def test_bars_are_shown_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(shown=True) as advance:
        advance("[texts]", 1, 2)
        advance("files", 5, 0)
        advance("[texts]", 2, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[texts]" in captured.err
    assert "2/2" in captured.err
    assert "files" in captured.err


def test_nothing_is_shown_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(shown=False) as advance:
        advance("texts", 1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
