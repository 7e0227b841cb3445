import pytest
import typer

from safety_core.cli.common import FAILED, exit_on_error
from safety_core.errors import ConfigError, IntegrityError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("lr: a number is needed"), "error: lr: a number is needed\n"),
        (IntegrityError("nano: a file is missing"), "error: IntegrityError: nano: a file is missing\n"),
    ],
)
def test_our_own_errors_are_one_line_and_damage_is_named(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, exit_on_error():
        raise error
    assert ended.value.exit_code == FAILED
    printed = capsys.readouterr()
    assert printed.err == line
    assert not printed.out


def test_errors_of_others_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_error():
        raise ZeroDivisionError
