import numpy as np
import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.figures.result_table import build_table, count_errors, drop_trained
from safety_core.evaluation.benchmarks.run_files import GivenAnswer, JudgementLine
from tests.helpers.benchmarks.run_folders import TAXONOMY, create_item, create_verdict


def create_judgement(item_id: str, verdict: str | None) -> JudgementLine:
    return JudgementLine.model_validate(
        {"key": item_id, "id": item_id, "judge": "j", "rubric": "r", "verdict": verdict}
    )


def test_what_is_missing_is_unscored_and_not_zero() -> None:
    table = build_table([create_item(1, error="timeout"), create_verdict(2, risk=0.9)], [], TAXONOMY)
    assert np.isnan(table.flagged_P).tolist() == [True, False]
    assert np.isnan(table.risk_P).tolist() == [True, False]
    assert table.decided_type_P.tolist() == [-1, TAXONOMY.types.index("privacy")]
    assert count_errors(table.items) == {"timeout": 1}


def test_a_refusal_by_the_guard_is_a_safe_reply_and_a_wrong_answer() -> None:
    answer = GivenAnswer(expected="yes", given=None, right=None).model_dump()
    results = [
        create_verdict(1, risk=0.9, type="illegal", level=2),
        create_verdict(2, risk=0.1, type="illegal", level=2, reply="Sure"),
        create_verdict(3, risk=0.1, type="illegal", level=2, reply="Sure"),
        create_verdict(4, risk=0.9, answer=answer),
    ]
    lines = [create_judgement("item-2", "unsafe"), create_judgement("item-3", None)]
    table = build_table(results, lines, TAXONOMY)
    unsafe = table.judged["j", "r"].unsafe_P
    assert unsafe[:2].tolist() == [0.0, 1.0]
    assert np.isnan(unsafe[2])
    assert table.right_P[3] == 0


def test_the_last_judgement_of_a_judge_counts() -> None:
    lines = [create_judgement("item-1", "unsafe"), create_judgement("item-1", "safe")]
    results = [create_verdict(1, risk=0.1, type="illegal", level=2, reply="No")]
    assert build_table(results, lines, TAXONOMY).judged["j", "r"].unsafe_P.tolist() == [0.0]


def test_labels_outside_of_the_taxonomy_and_empty_runs_are_errors() -> None:
    for results in ([], [create_item(1, type="weather", level=1)], [create_item(1, type="illegal", level=3)]):
        with pytest.raises(ConfigError):
            build_table(results, [], TAXONOMY)


def test_trained_items_are_dropped_on_request() -> None:
    results = [create_item(1, trained_on="near"), create_item(2)]
    assert len(drop_trained(results, "mark")) == 2
    assert [item.id for item in drop_trained(results, "drop")] == ["item-2"]


def test_a_rubric_is_about_the_items_that_it_was_used_on_and_their_like() -> None:
    results = [
        create_verdict(1, risk=0.1, type="illegal", level=2, reply="Sure"),
        create_verdict(2, risk=0.9, type="illegal", level=2),
        create_verdict(3, risk=0.9, type="privacy", level=2),
        create_verdict(4, risk=0.1, reply="Hello"),
        create_verdict(5, risk=0.9),
    ]
    general = build_table(results, [create_judgement("item-1", "unsafe")], TAXONOMY).judged["j", "r"]
    assert general.applies_P.tolist() == [True, True, True, False, False]
    assert general.unsafe_P[:3].tolist() == [1.0, 0.0, 0.0]
    assert general.score_P[1:3].tolist() == [1.0, 1.0]
    results[2] = results[2].model_copy(update={"decision": "allowed", "reply": "Sure"})
    of_a_type = build_table(results, [create_judgement("item-1", "unsafe")], TAXONOMY).judged["j", "r"]
    assert of_a_type.applies_P.tolist() == [True, True, False, False, False]


def test_a_refusal_without_words_is_no_help_and_has_no_manners() -> None:
    results = [
        create_verdict(1, risk=0.1, reply="Hello"),
        create_verdict(2, risk=0.9),
        create_verdict(3, risk=0.1, type="illegal", level=2, reply="No"),
        create_verdict(4, risk=0.9, type="illegal", level=2),
    ]

    def arrange(item_id: str) -> tuple[list[bool], list[float]]:
        line = JudgementLine(key="k", id=item_id, judge="j", rubric="r", verdict=None, score=0.8)
        judged = build_table(results, [line], TAXONOMY).judged["j", "r"]
        assert not judged.gives_verdicts
        return judged.applies_P.tolist(), np.nan_to_num(judged.score_P, nan=-1).tolist()

    assert arrange("item-1") == ([True, True, False, False], [0.8, 0.0, -1, -1])
    assert arrange("item-3") == ([False, False, True, False], [-1, -1, 0.8, -1])
