from pathlib import Path

import pytest
from typer.testing import Result

from safety_core.cli.main import app
from safety_core.evaluation.runs.registered import RunRequest
from tests.helpers.command_line import runner


def run(*args: object) -> Result:
    return runner.invoke(app, ["small", "replies", *(str(arg) for arg in args)])


def test_write_says_how_many_replies_there_are_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[RunRequest] = []

    def write(request: RunRequest, path: Path, *, count: int) -> dict[str, int]:
        requests.append(request)
        return {"bare": count, "shipped": 1}

    monkeypatch.setattr("safety_core.small.evaluation.hand_reading.write_replies", write)
    result = run("write", tmp_path / "t.csv", "--data", tmp_path, "--count", 7, "--split", "development")
    assert result.exit_code == 0, result.output
    assert result.stdout == "bare: 7 replies\nshipped: 1 replies\n"
    assert requests[0].out.parts[-2:] == ("report-real", "development"), "the replies of the evaluation are used"


def test_agree_prints_figures_only(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("row,item,request,reply,unsafe\nbare,1,a request,I can't help with that.,no\n", encoding="utf-8")
    result = run("agree", table)
    assert result.exit_code == 0, result.output
    assert "| bare | 1 |" in result.stdout
    assert "request" not in result.stdout
    assert run("agree", tmp_path / "none.csv").exit_code == 1
