import json
from pathlib import Path

import pytest
from typer.testing import Result

from safety_core.cli.evaluate import BARS_NOT_CLEARED
from safety_core.cli.main import app
from safety_core.evaluation.runs.registered import RunRequest, RunResult
from safety_core.evaluation.runs.report import JSON_FILE
from safety_core.evaluation.suites.suite import Suite
from tests.helpers.command_line import runner


def run(*args: object) -> Result:
    return runner.invoke(app, [str(arg) for arg in args])


@pytest.mark.parametrize(("least", "status"), [(24, 0), (25, BARS_NOT_CLEARED)])
def test_evaluate_prints_and_writes_and_exits_by_the_bars(
    least: int,
    status: int,
    tiny_checkpoint: Path,
    varied_suite: Suite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/safety_core/cli.py", "evaluate", "--suite", "toy"])
    bars = tmp_path / "bars.json"
    bars.write_text(json.dumps([{"row": "shipped", "figure": "handled", "of": "n", "at_least": least}]))
    result = run(
        "evaluate", "--suite", varied_suite.path, "--checkpoint", tiny_checkpoint, "--out", tmp_path / "out",
        "--resamples", 10, "--device", "cpu", "--check-bars", "--bars", bars,
    )  # fmt: skip
    assert result.exit_code == status, result.output
    assert result.stdout.startswith("# toy: 24 pairs")
    assert "| shipped |" in result.stdout
    report = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert [bar["passed"] for bar in report["bars"]] == [status == 0]
    assert report["command"] == ["safevlm", "evaluate", "--suite", "toy"], "whatever started the program"


def test_without_check_bars_nothing_is_held_against_a_checkpoint(tiny_checkpoint: Path, varied_suite: Suite) -> None:
    result = run(
        "evaluate", "--suite", varied_suite.path, "--checkpoint", tiny_checkpoint, "--resamples", 10, "--quiet"
    )
    assert result.exit_code == 0, result.output
    assert "## Bars" not in result.stdout


def test_our_own_errors_are_one_line(tmp_path: Path, tiny_checkpoint: Path) -> None:
    result = run("evaluate", "--suite", tmp_path, "--checkpoint", tiny_checkpoint)
    assert result.exit_code == 1
    assert "error:" in result.output
    assert "Traceback" not in result.output


def test_an_evaluation_that_needs_data_says_so(tiny_checkpoint: Path) -> None:
    result = run("evaluate", "--suite", "real", "--checkpoint", tiny_checkpoint)
    assert result.exit_code == 1
    assert "--data" in result.output
    assert "docs/safevlm-small-data.md" in result.output


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, BARS_NOT_CLEARED)])
def test_a_registered_evaluation_gets_its_options_and_exits_by_its_bars(
    passed: bool, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[RunRequest] = []

    def measure(request: RunRequest) -> RunResult:
        requests.append(request)
        return RunResult(text="# real", passed=passed)

    monkeypatch.setattr("safety_core.small.evaluation.run.evaluate_real", measure)
    result = run(
        "evaluate", "--suite", "real", "--data", tmp_path, "--split", "development", "--row", "k0=zero", "--only",
        "shipped", "--only", "k0", "--limit", 3, "--seed", 4, "--check-bars", "--quiet",
    )  # fmt: skip
    assert result.exit_code == status, result.output
    assert result.stdout == "# real\n"
    (request,) = requests
    assert (request.data, request.split, request.limit) == (tmp_path, "development", 3)
    assert request.rows == {"k0": Path("zero")}
    assert request.only == ("shipped", "k0")
    assert request.bars is None, "the evaluation's own"
    assert request.check_bars
    assert request.config.seed == 4
    assert request.checkpoint.name == "safevlm-small"
    assert request.out.parts[-2:] == ("report-real", "development")
