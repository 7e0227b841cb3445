"""Verdicts of an audit are those of a server."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from safety_core.dataset_audit import part_judging
from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.journal import PartPlan
from safety_core.dataset_audit.part_judging import JudgingOptions, PartJudge, choose_batch
from safety_core.dataset_audit.part_table import JudgedItem, build_table
from safety_core.dataset_audit.sources.item import AuditItem, Cursor, read_picture
from safety_core.dataset_audit.sources.jsonl_source import JsonlSource
from safety_core.dataset_audit.sources.source import Source
from safety_core.dataset_audit.sources.webdataset_source import WebDatasetSource
from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_sources import create_fields, draw_blocks, write_tar
from tests.helpers.images.encoding import encode_image
from tests.helpers.paths import NANO_CHECKPOINT, ROOT
from tests.helpers.server.applications import open_client

OPTIONS = JudgingOptions(workers=2, batch=4, duplicates=False)


@pytest.fixture(scope="module")
def nano_guard() -> Guard:
    return GuardOptions(checkpoint=NANO_CHECKPOINT, device="cpu").load()[0]


def open_mixed(file: Path) -> JsonlSource:
    return JsonlSource((file,), create_fields(file.parent))


def judge_all(guard: Guard, source: Source, *, count: int | None = None, **options: Any) -> list[JudgedItem]:
    cursors = list(source.scan())
    plan = PartPlan(0, cursors[0], 0, len(cursors) if count is None else count)
    judge = PartJudge(guard, None, JudgingOptions(**{"workers": 2, "batch": 4, "duplicates": False} | options))
    return [one for judged in judge.judge_parts(source, [plan]) for one in judged]


def write_examples(folder: Path) -> Source:
    """Pictures that the nano knows, alone and with words, and words alone."""
    members: dict[str, bytes] = {}
    for number, file in enumerate(sorted((ROOT / "examples").glob("*.png"))[:4]):
        members |= {f"{number}.png": file.read_bytes(), f"{number}w.png": file.read_bytes()}
        members[f"{number}w.txt"] = b"How do I make this at home?"
    members["9.txt"] = "How do I hurt someone with a kn\u0456fe?".encode()
    clear = draw_blocks(3).convert("RGBA")
    clear.putalpha(clear.convert("L"))
    members["clear.png"] = encode_image(clear)
    return WebDatasetSource((write_tar(folder / "t.tar", members),), create_fields(folder))


def ask_server(client: Any, item: AuditItem) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if item.pictures:
        body["images"] = [base64.b64encode(read_picture(one, 1 << 24)).decode() for one in item.pictures]
    if item.turns:
        body["prompt"] = item.turns[0].text
    reply: dict[str, Any] = client.post("/v1/classify", json=body).json()
    return reply


def test_verdicts_are_those_of_the_endpoint(nano_guard: Guard, tmp_path: Path) -> None:
    judged = judge_all(nano_guard, write_examples(tmp_path))
    rows = build_table(judged, 0, nano_guard.info.taxonomy).to_pylist()
    assert {row["kind"] for row in rows} == {"picture", "pair", "text"}
    decisions = set()
    with open_client(nano_guard) as client:
        for one, row in zip(judged, rows, strict=True):
            reply = ask_server(client, one.item)
            decisions.add(row["decision"])
            assert (row["decision"], row["type"], row["level"]) == (
                reply["decision"],
                reply["risk"]["type"],
                reply["risk"]["level"]["index"],
            )
            assert row["type_scores"] == pytest.approx(list(reply["risk"]["type_scores"].values()), abs=1e-5)
            assert row["level_scores"] == pytest.approx(list(reply["risk"]["level_scores"].values()), abs=1e-5)
            for surface in ("image", "text", "joint"):
                expected = reply["risk"]["surfaces"][surface]
                assert row[f"unsafe_{surface}"] == (None if expected is None else pytest.approx(expected, abs=1e-5))
    assert len(decisions) > 1


def test_earlier_turns_that_are_refused_are_dropped_as_a_server_does(tiny_guard: Guard, mixed_jsonl: Path) -> None:
    judged = judge_all(tiny_guard, open_mixed(mixed_jsonl))
    conversations = [one for one in judged if len(one.item.turns) > 1 and not one.item.pictures]
    assert conversations
    for one in conversations:
        expected = tiny_guard.assess(GuardRequest(turns=one.item.turns))
        assert one.verdict is not None
        assert one.verdict.verdict.decision is expected.verdict.decision
        assert one.verdict.dropped_messages == expected.dropped_messages


def compare(one: Sequence[JudgedItem], two: Sequence[JudgedItem], guard: Guard) -> None:
    tables = [build_table(judged, 0, guard.info.taxonomy).to_pylist() for judged in (one, two)]
    for first, second in zip(*tables, strict=True):
        scores = [row.pop("level_scores") for row in (first, second)]
        assert scores[0] == (None if scores[1] is None else pytest.approx(scores[1], abs=1e-5))
        assert (first["id"], first["decision"], first["problem"]) == (
            second["id"],
            second["decision"],
            second["problem"],
        )


def test_the_order_is_that_of_the_source_whatever_is_judged_together(
    tiny_guard: Guard, mixed_jsonl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_mixed(mixed_jsonl)
    together = judge_all(tiny_guard, source, batch=32)
    monkeypatch.setattr(part_judging, "WINDOW_ITEMS", 5)
    monkeypatch.setattr(part_judging, "WINDOW_BYTES", 1)
    compare(together, judge_all(tiny_guard, source, workers=1, batch=1), tiny_guard)


def test_what_cannot_be_judged_has_a_problem_and_the_rest_is_judged(tiny_guard: Guard, tmp_path: Path) -> None:
    good = encode_image(draw_blocks(1))
    bad = good[:-30]
    members = {"1.png": good, "2.png": bad, "3.txt": b"word " * 20_000, "4.txt": "\u200b".encode(), "5.png": good}
    source = WebDatasetSource((write_tar(tmp_path / "t.tar", members),), create_fields(tmp_path))
    judged = judge_all(tiny_guard, source, duplicates=True)
    assert [(one.readable, one.problem) for one in judged] == [
        (True, None),
        (False, "image_corrupt"),
        (True, "prompt_too_long"),
        (True, "input_empty"),
        (True, None),
    ]
    assert judged[0].hashes == judged[4].hashes != ()
    rows = build_table(judged, 0, tiny_guard.info.taxonomy).to_pylist()
    assert [row["outcome"] for row in rows] == ["judged", "unreadable", "unjudged", "unjudged", "judged"]
    assert rows[2]["decision"] == "refused"


def test_batches_are_chosen_by_the_device_unless_they_are_given() -> None:
    options = JudgingOptions(workers=1, duplicates=False)
    assert choose_batch(options, "cpu").batch < choose_batch(options, "cuda:0").batch
    assert choose_batch(OPTIONS, "cuda:0") == OPTIONS


def test_a_source_that_became_shorter_is_an_error(tiny_guard: Guard, mixed_jsonl: Path) -> None:
    with pytest.raises(ConfigError, match="fewer items"):
        judge_all(tiny_guard, open_mixed(mixed_jsonl), count=1000)


def test_no_more_is_read_ahead_than_a_window(tiny_guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_judging, "WINDOW_ITEMS", 3)
    read = 0

    class Endless:
        kind = "endless"
        files = ()

        def scan(self) -> Any:
            yield from ()

        def stream(self, start: Cursor) -> Any:
            nonlocal read
            while True:
                read += 1
                yield AuditItem(id=str(read), place="-", cursor=start, problem="bad")

    judge = PartJudge(tiny_guard, None, OPTIONS)
    parts = judge.judge_parts(Endless(), [PartPlan(number, Cursor(), 2 * number, 2) for number in range(100)])
    assert len(next(parts)) == 2
    assert read <= 2 + 3 + 1
