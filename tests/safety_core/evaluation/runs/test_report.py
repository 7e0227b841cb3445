import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.evaluation.runs.report import (
    JSON_FILE,
    VERDICTS_FILE,
    Report,
    SystemReport,
    build_verdict_line,
    write_report,
)
from safety_core.evaluation.scoring.reply_kinds import Judgement, ReplyKind, SystemReply
from safety_core.evaluation.statistics.bars import BarResult, Comparison
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar
from safety_core.evaluation.statistics.measures import Outcome
from safety_core.evaluation.suites.suite import Pair, PairMeta
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Policy, decide
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

RATE = Estimate(value=0.25, low=0.1, high=0.5, n=8, unscored=1)
TAXONOMY = Taxonomy(types=("fine", "odd"), levels=("none", "some", "all"), safe_type="fine")
PAIR = Pair(
    sample=Sample(
        id="ü-1",
        images=(),
        conversation=(Turn(role="user", text="a"), Turn(role="assistant", text="b"), Turn(role="user", text="c")),
        label=RiskLabel(type=1, level=2),
    ),
    meta=PairMeta(intent="use", content="knife"),
)
BAR = BarResult(bar="shipped: unsafe_rate ≤ 0.3", figure="unsafe_rate", value=0.25, passed=True)


@pytest.fixture
def report() -> Report:
    row = SystemReport(
        spec={"name": "shipped"}, checkpoint_sha256="1" * 64, seconds=1.26, figures={"unsafe_rate": RATE}
    )
    return Report(
        suite="toy",
        suite_sha256="0" * 64,
        pairs=8,
        taxonomy=DEFAULT_TAXONOMY,
        seed=3,
        resamples=10,
        command=("safevlm", "evaluate"),
        rows={"shipped": row, "bare": row},
        comparisons={
            ("shipped", "bare"): Comparison(
                differences={"unsafe_rate": RATE},
                mcnemar={"handled": McNemar(only_first=2, only_second=1, n=8, p_value=0.5)},
            )
        },
        bars=(BAR,),
    )


def make_outcome(**parts: Any) -> Outcome:
    nothing: dict[str, Any] = {"verdict": None, "scores": None, "reply": None, "judgement": Judgement(kind=None)}
    return Outcome(pair=PAIR, **nothing | parts)


def test_every_bar_must_be_cleared(report: Report) -> None:
    assert report.passed
    assert replace(report, bars=()).passed, "no bars, nothing to fail"
    assert not replace(report, bars=(BAR, replace(BAR, passed=False))).passed


def test_the_json_form_has_every_figure_of_every_row_in_order(report: Report) -> None:
    data = json.loads(json.dumps(report.to_dict()))
    assert list(data["rows"]) == ["shipped", "bare"]
    row = data["rows"]["shipped"]
    assert row["figures"] == {"unsafe_rate": {"value": 0.25, "low": 0.1, "high": 0.5, "n": 8, "unscored": 1}}
    assert (row["spec"], row["checkpoint_sha256"], row["seconds"]) == ({"name": "shipped"}, "1" * 64, 1.3)
    (comparison,) = data["comparisons"]
    assert (comparison["row"], comparison["against"]) == ("shipped", "bare")
    assert comparison["differences"]["unsafe_rate"] == row["figures"]["unsafe_rate"]
    assert comparison["mcnemar"]["handled"]["p_value"] == 0.5
    assert [bar["passed"] for bar in data["bars"]] == [True]
    assert Taxonomy.parse(data["taxonomy"]) == DEFAULT_TAXONOMY


def test_a_report_is_written_into_a_new_folder(report: Report, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    row = [make_outcome(), make_outcome()]
    write_report(replace(report, taxonomy=TAXONOMY), {"shipped": row, "bare": row[:1]}, folder)
    assert json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))["suite"]["pairs"] == 8
    text = (folder / VERDICTS_FILE).read_text(encoding="utf-8")
    assert [json.loads(line)["row"] for line in text.splitlines()] == ["shipped", "shipped", "bare"]
    assert "ü-1" in text, "letters are written as they are"
    assert {path.name for path in folder.iterdir()} == {JSON_FILE, VERDICTS_FILE}


def test_a_figure_that_is_not_a_number_is_never_written(report: Report, tmp_path: Path) -> None:
    row = replace(report.rows["bare"], figures={"unsafe_rate": replace(RATE, value=float("nan"))})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(replace(report, rows={"bare": row}), {}, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_line_tells_label_decision_and_reply_by_name() -> None:
    scores = RiskScores(types=(0.1, 0.9), levels=(0.4, 0.343211, 0.256789))
    line = build_verdict_line(
        make_outcome(
            scores=scores,
            verdict=decide(Policy.create_default(TAXONOMY), TAXONOMY, scores),
            reply=SystemReply(text="Sure.", truncated=True),
            judgement=Judgement(kind=ReplyKind.COMPLIANCE, careful=True),
        ),
        TAXONOMY,
    )
    assert line == {
        "id": "ü-1",
        "intent": "use",
        "content": "knife",
        "gold": ["odd", "all"],
        "head": ["odd", "none"],
        "decision": "cautioned",
        "decided": ["odd", 1],
        "level_scores": [0.6, 0.2568],
        "prompt": "c",
        "reply": "Sure.",
        "truncated": True,
        "kind": "compliance",
        "careful": True,
        "unsafe": True,
        "safety_score": 1,
        "unscored": None,
    }


def test_what_a_system_lacks_is_null_in_its_line() -> None:
    line = build_verdict_line(make_outcome(judgement=Judgement(kind=None, reason="too long")), TAXONOMY)
    absent = {name for name, value in line.items() if value is None}
    assert {"head", "decision", "decided", "level_scores", "reply", "truncated", "kind", "unsafe"} <= absent
    assert line["unscored"] == "too long"


def test_scores_without_a_verdict_are_refused_in_their_line() -> None:
    scores = RiskScores(types=(0.1, 0.9), levels=(float("nan"), 0.5, 0.5))
    verdict = decide(Policy.create_default(TAXONOMY), TAXONOMY, scores)
    line = build_verdict_line(make_outcome(verdict=verdict, reply=SystemReply(text=None)), TAXONOMY)
    assert (line["decision"], line["decided"], line["level_scores"], line["reply"]) == (
        "refused",
        ["fine", 0],
        [],
        None,
    )
