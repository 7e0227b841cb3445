import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from safety_core.data.filtering import filter_records
from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.part_judging import JudgingOptions
from safety_core.dataset_audit.run import AuditOptions, audit_dataset
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_sources import RESULT_FILES, draw_blocks, write_mixed_jsonl
from tests.helpers.images.encoding import encode_image
from tests.helpers.paths import ROOT

KILLED_RUNS = """
import sys
from pathlib import Path
from random import Random
import torch
from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.part_judging import JudgingOptions
from safety_core.dataset_audit.run import AuditOptions, audit_dataset
from tests.helpers.killed_processes import run_and_kill

source, checkpoint, out, rounds = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
options = AuditOptions(part_items=7, judging=JudgingOptions(workers=2, batch=4, duplicates=True), examples=1)
guards = GuardOptions(checkpoint=checkpoint, device="cpu")
kills = 0
for number in range(rounds):
    folder = out / str(number)
    rng = Random(number)
    run = lambda: audit_dataset(source, folder, guards, options)
    while kills < 8 * (number + 1) and run_and_kill(run, folder, rng):
        kills += 1
    run_and_kill(run, folder, None)
print(kills)
"""
"""Runs audits, each of which is killed again and again before it may end."""


def read_results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in RESULT_FILES}


@pytest.fixture(scope="module")
def finished(mixed_jsonl: Path, tiny_guards: GuardOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished audit of ``mixed_jsonl``; do not write into it."""
    out = tmp_path_factory.mktemp("finished")
    judging = JudgingOptions(workers=2, batch=4, duplicates=True)
    audit_dataset(mixed_jsonl, out, tiny_guards, AuditOptions(part_items=7, judging=judging, examples=1))
    return out


def test_every_item_is_in_the_results_once_and_in_order(finished: Path, mixed_jsonl: Path) -> None:
    rows = pq.read_table(finished / "records.parquet").to_pylist()
    lines = mixed_jsonl.read_text().splitlines()
    assert [row["number"] for row in rows] == list(range(len(lines)))
    assert [row["place"] for row in rows] == [f"data.jsonl:{line + 1}" for line in range(len(lines))]
    assert {row["kind"] for row in rows if row["outcome"] == "judged"} == {"picture", "text", "pair"}
    unreadable = [json.loads(line) for line in (finished / "unreadable.jsonl").read_text().splitlines()]
    assert [entry["place"] for entry in unreadable] == [row["place"] for row in rows if row["outcome"] == "unreadable"]
    assert {entry["problem"] for entry in unreadable} == {"image_format", "the line is not valid JSON"}


def test_near_duplicates_are_grouped_by_their_first_item(finished: Path) -> None:
    rows = {row["id"]: row for row in pq.read_table(finished / "records.parquet").to_pylist()}
    assert rows["r57"]["picture_groups"] == rows["r0"]["picture_groups"]  # r57 shows the picture of r0, both alone
    assert rows["r57"]["duplicate_group"] == rows["r0"]["duplicate_group"] == rows["r0"]["number"]
    summary = json.loads((finished / "summary.json").read_text())
    assert summary["duplicates"]["groups"] >= 1
    assert summary["labels"]


def test_nothing_of_the_data_is_in_the_tables(finished: Path) -> None:
    for name in RESULT_FILES[:-1]:
        assert b"corner" not in (finished / name).read_bytes()


def test_the_list_is_ready_to_filter_by(finished: Path, mixed_jsonl: Path) -> None:
    out = mixed_jsonl.with_name("kept.jsonl")
    report = filter_records(mixed_jsonl, finished / "filter.jsonl", out)
    entries = [json.loads(line) for line in (finished / "filter.jsonl").read_text().splitlines()]
    named = {entry["id"] for entry in entries if entry["reason"] != "duplicate"}
    assert (report.dropped, report.unknown) == (len(named), 0)
    kept = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert kept == [f"r{number}" for number in range(60) if f"r{number}" not in named]


def test_an_audit_that_is_finished_judges_nothing_again(
    finished: Path, mixed_jsonl: Path, tiny_guards: GuardOptions, small_parts: AuditOptions
) -> None:
    before, journal = read_results(finished), (finished / "journal.jsonl").read_bytes()
    stages: list[tuple[str, int, int]] = []
    audit_dataset(mixed_jsonl, finished, tiny_guards, small_parts, report=lambda *progress: stages.append(progress))
    assert stages == [("items", 61, 61)]
    assert read_results(finished) == before
    assert (finished / "journal.jsonl").read_bytes() == journal


@pytest.mark.slow
def test_killed_at_random_points_nothing_is_lost_or_repeated(
    finished: Path, mixed_jsonl: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RUNS, str(mixed_jsonl), str(tiny_checkpoint), str(tmp_path), "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 6
    for folder in tmp_path.iterdir():
        assert read_results(folder) == read_results(finished)
        assert (folder / "journal.jsonl").read_bytes() == (finished / "journal.jsonl").read_bytes()


def test_another_source_or_option_is_not_mixed_in(
    tiny_guards: GuardOptions, small_parts: AuditOptions, tmp_path: Path
) -> None:
    source = write_mixed_jsonl(tmp_path / "data", 8)
    out = tmp_path / "out"
    audit_dataset(source, out, tiny_guards, small_parts)
    with pytest.raises(ConfigError, match="another audit: part_items differ"):
        audit_dataset(source, out, tiny_guards, replace(small_parts, part_items=3))
    source.write_text(source.read_text() + '{"text": "more"}\n')
    with pytest.raises(ConfigError, match="another audit: source differ"):
        audit_dataset(source, out, tiny_guards, small_parts)


def test_a_policy_of_the_operator_decides(
    tiny_guards: GuardOptions, small_parts: AuditOptions, mixed_jsonl: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("mode: shadow\nnovelty: {action: allow}\n")
    summary = audit_dataset(mixed_jsonl, tmp_path / "out", replace(tiny_guards, policy=policy), small_parts)
    plain = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary.to_dict() == plain


def test_a_source_without_items_is_an_error(
    tiny_guards: GuardOptions, small_parts: AuditOptions, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="nothing to judge"):
        audit_dataset(tmp_path / "empty", tmp_path / "out", tiny_guards, small_parts)


def test_a_folder_of_pictures_is_audited_without_signatures(
    tiny_guards: GuardOptions, small_parts: AuditOptions, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(encode_image(draw_blocks(number)))
    options = replace(small_parts, judging=replace(small_parts.judging, duplicates=False), examples=0)
    summary = audit_dataset(folder, tmp_path / "out", tiny_guards, options)
    assert (summary.items, summary.duplicate_groups) == (5, None)
    rows = pq.read_table(tmp_path / "out" / "records.parquet").to_pylist()
    assert [row["picture_groups"] for row in rows] == [[]] * 5
