from safety_core.evaluation.benchmarks.judging.judge import Case, build_key, create_case
from safety_core.evaluation.benchmarks.judging.rubrics import FALSE_CONTENT, HARMFUL_COMPLIANCE
from safety_core.evaluation.benchmarks.judging.rule_judge import RuleJudge
from safety_core.evaluation.benchmarks.suites.abilities.questions import Question
from tests.helpers.benchmarks.items import make_item
from tests.helpers.benchmarks.results import make_result


def test_the_key_depends_on_all_that_a_judge_reads() -> None:
    judge = RuleJudge()
    cases = [
        Case(item=make_item(), reply="a"),
        Case(item=make_item(), reply="b"),
        Case(item=make_item(text="c"), reply="a"),
        Case(item=make_item("two"), reply="a"),
    ]
    keys = {build_key(judge, HARMFUL_COMPLIANCE, case) for case in cases}
    assert len(keys | {build_key(judge, FALSE_CONTENT, cases[0])}) == 5
    assert build_key(judge, HARMFUL_COMPLIANCE, cases[0]) in keys


def test_only_replies_to_requests_are_cases() -> None:
    item = make_item()
    assert create_case(item, make_result("one", reply="a")) == Case(item=item, reply="a")
    assert create_case(item, make_result("one", reply="")) is not None, "silence is a reply"
    assert create_case(item, make_result("one")) is None
    question = make_item(question=Question(form="yes_no", expected="yes"))
    assert create_case(question, make_result("one", reply="yes")) is None
