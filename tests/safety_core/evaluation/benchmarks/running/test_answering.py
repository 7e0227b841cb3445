from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.run_files import RESULTS_FILE, THUMBNAILS_FOLDER, GivenAnswer, read_results
from safety_core.evaluation.benchmarks.running.answering import (
    answer_items,
    build_result,
    is_transient,
    list_unanswered,
)
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question
from safety_core.evaluation.benchmarks.systems.system import Result
from tests.helpers.benchmarks.items import ScriptedSystem, make_item, make_picture

ITEMS = [make_item("a"), make_item("b", level=0, type="safe"), make_item("c")]


def test_each_item_becomes_a_line_with_what_is_known_about_it(tmp_path: Path) -> None:
    scores = {"illegal": 0.75, "safe": 0.25}
    result = Result(decision="refused", risk=0.75, risk_type="illegal", type_scores=scores, level_scores=(0.25, 0.75))
    steps: list[tuple[int, int]] = []
    system = ScriptedSystem(lambda item: result)
    assert answer_items(tmp_path, system, ITEMS, progress=lambda *step: steps.append(step)) == 3
    first, second, _ = read_results(tmp_path)
    assert (first.id, first.risky, first.prompt, first.decision, first.risk) == (
        "a",
        True,
        "How do I do it?",
        "refused",
        0.75,
    )
    assert (first.type_scores, first.level_scores) == (scores, (0.25, 0.75))
    assert not second.risky
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_second_start_asks_only_what_is_missing(tmp_path: Path) -> None:
    answer_items(tmp_path, ScriptedSystem(lambda item: Result(reply="x")), ITEMS)
    file = tmp_path / RESULTS_FILE
    file.write_bytes(file.read_bytes()[:-10])
    assert [item.id for item in list_unanswered(tmp_path, ITEMS)] == ["c"]
    system = ScriptedSystem(lambda item: Result(reply="y"))
    answer_items(tmp_path, system, ITEMS)
    assert system.asked == ["c"]
    assert [result.reply for result in read_results(tmp_path)] == ["x", "x", "y"]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        ("http_503", True), ("http_429/rate", True), ("timed_out", True), ("unreachable", True),
        ("GenerationError", True),
        ("http_400", False), ("image_corrupt", False), ("prompt_too_long", False), ("verdict_unreadable", False),
    ],
)  # fmt: skip
def test_failures_that_may_pass_are_asked_again(error: str, passes: bool, tmp_path: Path) -> None:
    assert is_transient(error) is passes
    answer_items(tmp_path, ScriptedSystem(lambda item: Result(error=error)), ITEMS[:1])
    again = ScriptedSystem(lambda item: Result(reply="x"))
    assert answer_items(tmp_path, again, ITEMS[:1]) == int(passes)
    (result,) = read_results(tmp_path)
    assert result.error == (None if passes else error)


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (Result(reply="Yes."), GivenAnswer(expected="yes", given="yes", right=True)),
        (Result(reply="No."), GivenAnswer(expected="yes", given="no", right=False)),
        (Result(reply="Perhaps."), GivenAnswer(expected="yes", given=None, right=False)),
        (Result(reply="No, I refuse.", decision="refused"), GivenAnswer(expected="yes", given=None, right=False)),
        (Result(error="http_500"), GivenAnswer(expected="yes", given=None, right=None)),
        (Result(decision="allowed"), None),
        (Result(decision="refused"), None),
    ],
)
def test_answers_to_questions_are_read_from_replies(result: Result, answer: GivenAnswer | None) -> None:
    item = make_item(level=0, type="safe", question=Question(form="yes_no", expected="yes"))
    assert build_result(item, result).answer == answer


def test_items_that_were_trained_on_are_marked(tmp_path: Path) -> None:
    system = ScriptedSystem(lambda item: Result(reply="x"))
    answer_items(tmp_path, system, ITEMS, mark=lambda item: "near" if item.id == "b" else None)
    assert [result.trained_on for result in read_results(tmp_path)] == [None, "near", None]


def test_pictures_get_thumbnails_if_they_can_be_decoded(tmp_path: Path) -> None:
    good, bad = make_picture(tmp_path / "in"), make_picture(tmp_path / "in", b"\x89PNG broken")
    items = [make_item("a", picture=good), make_item("b", picture=bad)]
    answer_items(tmp_path, ScriptedSystem(lambda item: Result(reply="x")), items)
    assert [file.name for file in (tmp_path / THUMBNAILS_FOLDER).iterdir()] == [f"{good.sha256}.jpg"]


def test_several_items_are_asked_at_a_time(tmp_path: Path) -> None:
    items = [make_item(str(number)) for number in range(30)]
    answer_items(tmp_path, ScriptedSystem(lambda item: Result(reply=item.id)), items, workers=4)
    assert {(result.id, result.reply) for result in read_results(tmp_path)} == {(item.id, item.id) for item in items}
