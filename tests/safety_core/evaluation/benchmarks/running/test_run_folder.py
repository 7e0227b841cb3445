from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import RunInfo, SuiteInfo, SystemInfo, TaxonomyInfo, read_run
from safety_core.evaluation.benchmarks.running.run_folder import lock_folder, open_run
from safety_core.taxonomy import DEFAULT_TAXONOMY


def make_run(**changes: Any) -> RunInfo:
    fields: dict[str, Any] = {
        "suite": SuiteInfo(name="xstest", digest="d", items=2),
        "system": SystemInfo(name="guarded", kind="checkpoint", digest="e"),
        "taxonomy": TaxonomyInfo.of(DEFAULT_TAXONOMY),
        "policy": {"thresholds": {"illegal": {"1": 0.5}}},
        "commit": "abc",
        "settings": {"max_tokens": 8},
    }
    return RunInfo(**{**fields, **changes})


def test_the_record_of_the_first_start_is_kept(tmp_path: Path) -> None:
    first = open_run(tmp_path, make_run(command=("first",)), must_answer=True)
    assert open_run(tmp_path, make_run(command=("second",)), must_answer=True) == first == read_run(tmp_path)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"suite": SuiteInfo(name="xstest", digest="other", items=2)}, "suite"),
        ({"system": SystemInfo(name="guarded", kind="checkpoint", digest="other")}, "system"),
        ({"policy": {"thresholds": {"illegal": {"1": 0.6}}}}, "policy"),
        ({"settings": {"max_tokens": 9}}, "setting"),
        ({"commit": "def"}, "commit of the code"),
    ],
)
def test_another_run_is_never_mixed_in(changes: dict[str, Any], name: str, tmp_path: Path) -> None:
    open_run(tmp_path, make_run(), must_answer=True)
    with pytest.raises(ConfigError, match=f"another {name}.*--out"):
        open_run(tmp_path, make_run(**changes), must_answer=True)


def test_a_complete_run_can_be_judged_by_later_code(tmp_path: Path) -> None:
    open_run(tmp_path, make_run(), must_answer=True)
    open_run(tmp_path, make_run(commit="def"), must_answer=False)


def test_a_policy_with_numbers_as_keys_is_the_same_after_reading(tmp_path: Path) -> None:
    run = make_run(policy={"thresholds": {"illegal": {1: 0.5}}})
    open_run(tmp_path, run, must_answer=True)
    open_run(tmp_path, run, must_answer=True)


def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(ConfigError, match="another process"), lock_folder(tmp_path):
        pass
    with lock_folder(tmp_path):
        pass
