"""An audit on a local cluster of one machine. Ray is an optional dependency; without it, this module is skipped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.run import AuditOptions, RayOptions, audit_dataset

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def read_rows(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "records.parquet").to_pylist()
    return rows


@pytest.mark.usefixtures("cluster")
def test_records_decisions_and_order_are_those_of_one_machine(
    mixed_jsonl: Path, tiny_guards: GuardOptions, small_parts: AuditOptions, tmp_path: Path
) -> None:
    options = replace(small_parts, part_items=16)
    audit_dataset(mixed_jsonl, tmp_path / "here", tiny_guards, options)
    audit_dataset(mixed_jsonl, tmp_path / "there", tiny_guards, replace(options, ray=RayOptions(judges=2)))
    for here, there in zip(read_rows(tmp_path / "here"), read_rows(tmp_path / "there"), strict=True):
        for name in ("type_scores", "level_scores"):
            one, two = here.pop(name), there.pop(name)
            assert one == (None if two is None else pytest.approx(two, abs=1e-5))
        for name in [name for name in here if name.startswith(("unsafe", "novelty"))]:
            one, two = here.pop(name), there.pop(name)
            assert one == (None if two is None else pytest.approx(two, abs=1e-5))
        assert here == there


@pytest.mark.usefixtures("cluster")
def test_an_audit_that_was_begun_here_is_continued_there(
    mixed_jsonl: Path, tiny_guards: GuardOptions, small_parts: AuditOptions, tmp_path: Path
) -> None:
    options = replace(small_parts, part_items=16)

    class StopError(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if done >= 32:
            raise StopError

    with pytest.raises(StopError):
        audit_dataset(mixed_jsonl, tmp_path, tiny_guards, options, report=stop)
    audit_dataset(mixed_jsonl, tmp_path, tiny_guards, replace(options, ray=RayOptions()))
    assert [row["number"] for row in read_rows(tmp_path)] == list(range(61))
