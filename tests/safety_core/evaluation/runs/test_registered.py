from pathlib import Path
from pkgutil import resolve_name

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.runs.registered import RUNS, RegisteredRun, RunRequest, RunResult, parse_rows
from safety_core.evaluation.suites.registry import SUITES


def answer(request: RunRequest) -> RunResult:
    """A registered evaluation that measures nothing."""
    return RunResult(text=f"{request.split} of {request.checkpoint}", passed=True)


def test_a_run_is_imported_when_it_is_asked_for() -> None:
    registered = RegisteredRun(f"{__name__}:answer", Path("weights/x"))
    request = RunRequest(checkpoint=registered.checkpoint, build=Path("build"), out=Path("out"))
    assert registered.run(request).text == f"test of {Path('weights/x')}"


@pytest.mark.parametrize("name", RUNS)
def test_registered_functions_exist_and_names_are_not_those_of_suites(name: str) -> None:
    assert callable(resolve_name(RUNS[name].function))
    assert name not in SUITES


def test_rows_name_their_checkpoints() -> None:
    assert parse_rows(["k0=a/b", "layer=c=d"]) == {"k0": Path("a/b"), "layer": Path("c=d")}
    for malformed in (["k0"], ["=a"], ["k0="], ["k0=a", "k0=b"]):
        with pytest.raises(ConfigError, match="ROW=FOLDER"):
            parse_rows(malformed)
