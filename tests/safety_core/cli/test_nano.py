import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from safety_core.cli.main import app
from safety_core.evaluation.suites.suite import load_suite
from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs
from safety_core.nano.language.labelling_rules import format_rules
from tests.helpers.models.smoke_build import SmokeBuild


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["nano", *map(str, arguments)])


def test_rules_prints_the_table() -> None:
    assert run("rules").stdout == format_rules()


def test_examples_are_drawn(tmp_path: Path) -> None:
    result = run("examples", tmp_path)
    assert result.exit_code == 0
    assert [Path(line).name for line in result.stdout.split()] == [example.file for example in EXAMPLES]


def test_the_shipped_suite_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = SuitePlan(per_cell=1, safe=1, typographic=1)
    monkeypatch.setattr("safety_core.nano.build.suite.SHIPPED", replace(SHIPPED, test=plan))
    (tmp_path / "suite").mkdir()
    for _ in range(2):
        result = run("suite", tmp_path / "suite")
        assert result.exit_code == 0
        assert result.stdout == f"{tmp_path / 'suite'}\n"
        wanted = [pair.question.text for pair in sample_suite_pairs(SHIPPED.seed, plan)]
        assert [pair.sample.turns[-1].text for pair in load_suite(tmp_path / "suite").pairs] == wanted
        # Once it is there it is not drawn again.
        monkeypatch.setattr("safety_core.nano.build.suite.write_suite", None)
    assert [path.name for path in tmp_path.iterdir()] == ["suite"]


def test_a_suite_is_not_drawn_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    result = run("suite", tmp_path)
    assert result.exit_code == 1
    assert "holds something else" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_conversation_is_drawn_into_a_new_folder(smoke_build: SmokeBuild, tmp_path: Path) -> None:
    result = run("conversation", tmp_path / "new" / "drawing.svg", "--checkpoint", smoke_build.root / "safevlm-nano")
    assert result.exit_code == 0, result.output
    assert [line.split("|")[1].split()[-1] for line in result.stdout.splitlines()].count("`weapon.png`") == 2
    assert (tmp_path / "new" / "drawing.svg").read_text().startswith("<svg")


def test_two_sizes_exclude_each_other(tmp_path: Path) -> None:
    result = run("build", "--small", "--smoke", "--out", tmp_path)
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
    assert not any(tmp_path.iterdir())


def test_mistakes_are_one_line(smoke_build: SmokeBuild) -> None:
    for arguments, complaint in (
        (("--small", "--out", smoke_build.root), "another recipe"),
        (("--smoke", "--out", smoke_build.root, "--step", "cook"), "step: must be one of"),
        (("--smoke", "--out", smoke_build.root, "--device", "toaster"), "not a device"),
    ):
        result = run("build", *arguments)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")
        assert complaint in result.stderr
        assert result.stderr.count("\n") == 1


def test_help_and_rules_need_no_torch() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from safety_core.cli.main import app; "
        "assert CliRunner().invoke(app, ['nano', 'rules']).exit_code == 0; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
