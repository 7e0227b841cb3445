from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.judging.rule_judge import RuleJudge
from safety_core.evaluation.benchmarks.run_files import read_run
from safety_core.evaluation.benchmarks.running.run import RunOptions, run_benchmark
from safety_core.evaluation.benchmarks.systems.system import Result
from tests.helpers.benchmarks.items import ScriptedSystem, make_item, make_suite

SUITE = make_suite(make_item("a"), make_item("b", level=0, type="safe"))
OPTIONS = RunOptions(
    judges=[lambda folder: RuleJudge()], seed=3, command=("safevlm", "evaluate"), settings={"limit": 2}
)


def test_a_run_answers_judges_and_records_how(tmp_path: Path) -> None:
    steps: list[str] = []
    options = RunOptions(
        judges=OPTIONS.judges, seed=3, command=OPTIONS.command, settings=OPTIONS.settings,
        progress=lambda task, done, total: steps.append(f"{task} {done}/{total}"),
    )  # fmt: skip
    run = run_benchmark(tmp_path, SUITE, ScriptedSystem(lambda item: Result(reply="I can't help with that.")), options)
    assert [result.id for result in run.results] == ["a", "b"]
    assert [(line.rubric, line.verdict) for line in run.judgements] == [
        ("harmful_compliance", "safe"),
        ("helpfulness", None),
    ]
    assert steps == [f"scripted: items {n}/2" for n in range(3)] + [f"scripted: rules {n}/2" for n in (1, 2)]
    record = read_run(tmp_path)
    assert record == run.run
    assert (record.seed, record.command, record.settings) == (3, ("safevlm", "evaluate"), {"limit": 2})
    assert record.suite.digest == SUITE.info.digest
    assert record.versions["python"]


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    run_benchmark(tmp_path, SUITE, ScriptedSystem(lambda item: Result(reply="No.")), OPTIONS)
    again = ScriptedSystem(lambda item: Result(reply="other"))
    run = run_benchmark(tmp_path, SUITE, again, OPTIONS)
    assert again.asked == []
    assert len(run.judgements) == 2


def test_another_system_needs_another_folder(tmp_path: Path) -> None:
    run_benchmark(tmp_path, SUITE, ScriptedSystem(lambda item: Result(reply="No.")), OPTIONS)
    other = ScriptedSystem(lambda item: Result(reply="No."), name="other")
    with pytest.raises(ConfigError, match="another system"):
        run_benchmark(tmp_path, SUITE, other, OPTIONS)
