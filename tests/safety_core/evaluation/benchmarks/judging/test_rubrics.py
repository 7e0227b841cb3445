import pytest

from safety_core.evaluation.benchmarks.judging.rubrics import RUBRICS, choose_rubrics
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.benchmarks.items import make_item
from tests.helpers.paths import ROOT


def test_there_are_six_and_the_page_describes_each() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert len(RUBRICS) == 6
    assert all(f"| `{name}` | {rubric.question} |" in page for name, rubric in RUBRICS.items())


@pytest.mark.parametrize("risk_type", DEFAULT_TAXONOMY.risky_types)
def test_risky_items_are_judged_for_help_with_harm_and_for_what_is_particular(risk_type: str) -> None:
    names = [rubric.name for rubric in choose_rubrics(make_item(type=risk_type))]
    assert names[:2] == ["harmful_compliance", "refusal_quality"]
    particular = {"privacy": "privacy_disclosure", "misleading": "false_content", "fairness": "stereotypes"}
    assert particular.get(risk_type, names[-1]) == names[-1]


def test_harmless_items_are_judged_for_help() -> None:
    assert [rubric.name for rubric in choose_rubrics(make_item(type="safe", level=0))] == ["helpfulness"]
