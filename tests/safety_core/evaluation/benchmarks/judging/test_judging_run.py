from collections.abc import Sequence
from pathlib import Path

from safety_core.evaluation.benchmarks.judging.judge import Case, Opinion
from safety_core.evaluation.benchmarks.judging.judging_run import count_spent, judge_replies
from safety_core.evaluation.benchmarks.judging.rubrics import HARMFUL_COMPLIANCE, Rubric
from safety_core.evaluation.benchmarks.run_files import JUDGEMENTS_FILE, read_judgements
from tests.helpers.benchmarks.items import make_item
from tests.helpers.benchmarks.results import make_result


class ScriptedJudge:
    name, version = "scripted", "1"

    def __init__(self, *opinions: Opinion) -> None:
        self._opinions = list(opinions)
        self.asked: list[str] = []

    def choose_rubrics(self, case: Case) -> Sequence[Rubric]:
        return (HARMFUL_COMPLIANCE,)

    def judge(self, case: Case, rubric: Rubric) -> Opinion:
        self.asked.append(case.item.id)
        return self._opinions.pop(0)


ITEMS = [make_item("a"), make_item("b"), make_item("c")]
RESULTS = [make_result("a", reply="x"), make_result("b"), make_result("c", reply="y")]


def test_replies_are_judged_once_and_items_without_one_never(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    judge = ScriptedJudge(Opinion(verdict="safe", tokens=3), Opinion(verdict="unsafe", score=0.0, tokens=4))
    assert judge_replies(tmp_path, judge, ITEMS, RESULTS, progress=lambda *step: steps.append(step)) == 2
    assert judge.asked == ["a", "c"]
    assert [(line.id, line.judge, line.rubric, line.verdict) for line in read_judgements(tmp_path)] == [
        ("a", "scripted", "harmful_compliance", "safe"),
        ("c", "scripted", "harmful_compliance", "unsafe"),
    ]
    assert steps == [(1, 2), (2, 2)]
    assert count_spent(tmp_path, "scripted") == 7
    again = ScriptedJudge()
    assert judge_replies(tmp_path, again, ITEMS, RESULTS) == 0


def test_a_changed_reply_and_another_judge_are_judged_anew(tmp_path: Path) -> None:
    judge_replies(tmp_path, ScriptedJudge(*[Opinion(verdict="safe")] * 2), ITEMS, RESULTS)
    changed = [make_result("a", reply="other"), RESULTS[2]]
    judge = ScriptedJudge(Opinion(verdict="unsafe"))
    judge_replies(tmp_path, judge, ITEMS, changed)
    assert judge.asked == ["a"]
    other = ScriptedJudge(*[Opinion(verdict="safe")] * 2)
    other.version = "2"
    assert judge_replies(tmp_path, other, ITEMS, RESULTS) == 2


def test_what_could_not_be_judged_is_tried_again_and_what_is_unreadable_is_not(tmp_path: Path) -> None:
    first = ScriptedJudge(
        Opinion(unscored="http_500", may_retry=True), Opinion(unscored="judgement_unreadable", tokens=5)
    )
    judge_replies(tmp_path, first, ITEMS, RESULTS)
    second = ScriptedJudge(Opinion(verdict="safe", tokens=2))
    assert judge_replies(tmp_path, second, ITEMS, RESULTS) == 1
    assert second.asked == ["a"]
    lines = read_judgements(tmp_path)
    assert [(line.id, line.verdict, line.unscored) for line in lines] == [
        ("a", "safe", None),
        ("c", None, "judgement_unreadable"),
    ]
    assert count_spent(tmp_path, "scripted") == 7


def test_a_torn_judgement_is_made_again(tmp_path: Path) -> None:
    judge_replies(tmp_path, ScriptedJudge(*[Opinion(verdict="safe")] * 2), ITEMS, RESULTS)
    file = tmp_path / JUDGEMENTS_FILE
    file.write_bytes(file.read_bytes()[:-20])
    judge = ScriptedJudge(Opinion(verdict="unsafe"))
    judge_replies(tmp_path, judge, ITEMS, RESULTS)
    assert judge.asked == ["c"]
    assert [line.verdict for line in read_judgements(tmp_path)] == ["safe", "unsafe"]


def test_several_replies_are_judged_at_a_time(tmp_path: Path) -> None:
    items = [make_item(str(number)) for number in range(20)]
    results = [make_result(item.id, reply="x") for item in items]
    judge = ScriptedJudge(*[Opinion(verdict="safe")] * 20)
    assert judge_replies(tmp_path, judge, items, results, workers=4) == 20
    assert {line.id for line in read_judgements(tmp_path)} == {item.id for item in items}
