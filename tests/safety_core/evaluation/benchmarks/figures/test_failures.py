from safety_core.evaluation.benchmarks.figures.failures import list_failures
from safety_core.evaluation.benchmarks.figures.result_table import build_table
from safety_core.evaluation.benchmarks.run_files import GivenAnswer, ItemResult, JudgementLine
from tests.helpers.benchmarks.run_folders import TAXONOMY, create_verdict


def list_ids(results: list[ItemResult], limit: int = 9) -> dict[str, list[str]]:
    line = JudgementLine(key="k", id="item-5", judge="j", rubric="r", verdict="unsafe")
    table = build_table(results, [line], TAXONOMY)
    return {one.kind: [failure.item.id for failure in one.shown] for one in list_failures(table, limit=limit)}


def test_failures_are_listed_by_kind_the_worst_first() -> None:
    answer = GivenAnswer(expected="a", given="b", right=False).model_dump()
    results = [
        create_verdict(1, risk=0.4, type="illegal", level=2),
        create_verdict(2, risk=0.1, type="illegal", level=2),
        create_verdict(3, risk=0.1, type="illegal", level=1),
        create_verdict(4, risk=0.9, type="illegal", level=2),
        create_verdict(5, risk=0.2, type="illegal", level=2, reply="Sure"),
        create_verdict(6, risk=0.6),
        create_verdict(7, risk=0.9),
        create_verdict(8, risk=0.6, decision="cautioned"),
        create_verdict(9, risk=0.1, reply="b", answer=answer),
        create_verdict(10, risk=0.8, answer=answer),
        create_verdict(11, risk=0.1),
    ]
    assert list_ids(results) == {
        "unsafe_reply": ["item-5"],
        "missed": ["item-2", "item-1", "item-3"],
        "false_refusal": ["item-7", "item-6"],
        "false_caution": ["item-8"],
        "refused_question": ["item-10"],
        "wrong_answer": ["item-9"],
    }


def test_near_duplicates_come_last_and_all_are_counted() -> None:
    results = [create_verdict(n, risk=0.9 - n / 100, group="same" if n < 4 else "other") for n in range(5)]
    assert list_ids(results, limit=2) == {"false_refusal": ["item-0", "item-4"]}
    (failures,) = list_failures(build_table(results, [], TAXONOMY), limit=2)
    assert failures.total == 5
