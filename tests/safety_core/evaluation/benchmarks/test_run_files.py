from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import (
    JUDGEMENTS_FILE,
    RESULTS_FILE,
    GivenAnswer,
    ItemResult,
    JudgementLine,
    LineAppender,
    RunInfo,
    SuiteInfo,
    SystemInfo,
    TaxonomyInfo,
    read_judgements,
    read_results,
    read_run,
    write_run,
)
from safety_core.taxonomy import DEFAULT_TAXONOMY


def create_result(name: str, **fields: object) -> ItemResult:
    base = {"id": name, "group": name, "source": "s", "category": "c", "type": "illegal", "level": 3, "risky": True}
    return ItemResult.model_validate({**base, **fields})


def test_a_run_reads_as_it_was_written(tmp_path: Path) -> None:
    run = RunInfo(
        suite=SuiteInfo(name="xstest", digest="d", items=2, licence="CC-BY-4.0", data="xstest"),
        system=SystemInfo(name="guard", kind="checkpoint", model="safevlm-small", digest="e"),
        taxonomy=TaxonomyInfo.of(DEFAULT_TAXONOMY),
        policy={"thresholds": {"illegal": [0.5]}},
        command=("safevlm", "evaluate"),
        settings={"limit": None},
    )
    write_run(tmp_path / "run", run)
    assert read_run(tmp_path / "run") == run
    assert read_run(tmp_path / "run").taxonomy.to_taxonomy() == DEFAULT_TAXONOMY


def test_results_read_as_they_were_appended(tmp_path: Path) -> None:
    results = [
        create_result("a", decision="refused", risk=1, type_scores={"illegal": 1}, level_scores=(0.0, 1.0)),
        create_result("b", reply="Zwölf\nZeilen", answer=GivenAnswer(expected="A", given=None, right=False)),
    ]
    with LineAppender[ItemResult](tmp_path / RESULTS_FILE) as appender:
        for result in results:
            appender.append(result)
    assert read_results(tmp_path) == results
    assert (tmp_path / RESULTS_FILE).read_text(encoding="utf-8").count("\n") == 2


def test_a_missing_file_has_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path) == []
    assert read_judgements(tmp_path) == []


def test_a_torn_line_is_ignored_and_removed_by_the_next_appender(tmp_path: Path) -> None:
    file = tmp_path / RESULTS_FILE
    with LineAppender[ItemResult](file) as appender:
        appender.append(create_result("a"))
    with file.open("ab") as stream:
        stream.write(create_result("b").model_dump_json().encode()[:40])
    assert [result.id for result in read_results(tmp_path)] == ["a"]
    with LineAppender[ItemResult](file) as appender:
        appender.append(create_result("c"))
    assert [result.id for result in read_results(tmp_path)] == ["a", "c"]


def test_the_last_line_of_an_item_counts_in_the_place_of_the_first(tmp_path: Path) -> None:
    with LineAppender[ItemResult](tmp_path / RESULTS_FILE) as appender:
        for result in (create_result("a", error="endpoint_failed"), create_result("b"), create_result("a", reply="no")):
            appender.append(result)
    assert [(result.id, result.error, result.reply) for result in read_results(tmp_path)] == [
        ("a", None, "no"),
        ("b", None, None),
    ]


def test_the_last_judgement_of_a_key_counts(tmp_path: Path) -> None:
    with LineAppender[JudgementLine](tmp_path / JUDGEMENTS_FILE) as appender:
        appender.append(JudgementLine(key="k", id="a", judge="j", rubric="r", verdict=None, unscored="unreadable"))
        appender.append(JudgementLine(key="k", id="a", judge="j", rubric="r", verdict="safe", score=1, tokens=9))
    assert [line.verdict for line in read_judgements(tmp_path)] == ["safe"]


@pytest.mark.parametrize("content", ['{"id": 1}', "[]", "{", '{"id": "a", "unknown": 1}', ""])
def test_a_complete_line_that_is_malformed_is_an_error_with_its_place(content: str, tmp_path: Path) -> None:
    good = create_result("a").model_dump_json()
    (tmp_path / RESULTS_FILE).write_text(f"{good}\n{content}\n{good}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"results\.jsonl:2"):
        read_results(tmp_path)


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_run(tmp_path)
