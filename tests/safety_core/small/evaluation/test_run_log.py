import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.small.evaluation import run_log
from safety_core.small.evaluation.run_log import RunLog, compute_key


def open_log(file: Path, key: str = "k") -> RunLog[int]:
    return RunLog(file, key, parse=lambda fields: int(fields["value"]), dump=lambda value: {"value": value})


def test_results_survive_an_interruption(tmp_path: Path) -> None:
    file = tmp_path / "scores" / "row.jsonl"
    results = open_log(file).record(["a", "b", "c"], iter([1, 2, 3]))
    assert next(results) == 1
    assert next(results) == 2
    results.close()  # type: ignore[attr-defined]
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"item": "c", "val')
    log = open_log(file)
    assert [log.get(item) for item in "abc"] == [1, 2, None]
    assert list(open_log(file).record(["c"], [3])) == [3]
    assert [open_log(file).get(item) for item in "abc"] == [1, 2, 3]


def test_results_of_another_key_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "row.jsonl"
    list(open_log(file).record(["a"], [1]))
    other = open_log(file, "other")
    assert other.get("a") is None
    list(other.record(["b"], [2]))
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"key": "other"}, {"item": "b", "value": 2}]


def test_a_key_depends_on_every_part_and_on_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refresh(digest: str) -> Any:
        return lambda: digest

    keys = {compute_key("a", "b"), compute_key("ab"), compute_key("a", "c")}
    monkeypatch.setattr(run_log, "_hash_code", refresh("other code"))
    keys.add(compute_key("a", "b"))
    assert len(keys) == 4
