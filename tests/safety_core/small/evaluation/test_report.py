import json
from pathlib import Path

from safety_core.evaluation.runs.report import Report, SystemReport
from safety_core.evaluation.statistics.bars import BarResult, Comparison
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.evaluation.statistics.mcnemar import McNemar
from safety_core.policy.policy import Decision
from safety_core.small.evaluation.report import RealReport, format_report, write_report
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.real_items import SAFE, make_item, make_score


def make_report(figures: dict[str, Estimate]) -> RealReport:
    share = Estimate(value=0.25, low=0.0, high=0.5, n=9)
    test = McNemar(only_first=9, only_second=1, n=20, p_value=0.02)
    report = Report(
        suite="real/test",
        suite_sha256="0" * 64,
        pairs=2,
        taxonomy=DEFAULT_TAXONOMY,
        seed=0,
        resamples=10,
        command=["safevlm"],
        rows={
            name: SystemReport(
                spec={"content": name, "checkpoint": None}, checkpoint_sha256="", seconds=1.0, figures=shown
            )
            for name, shown in (("tfidf", {"flagged/harmful": share}), ("shipped", figures))
        },
        comparisons={("shipped", "tfidf"): Comparison(differences={"right/all": share}, mcnemar={"right/all": test})},
    )
    goal = BarResult(bar="a goal", figure="x", value=None, passed=False)
    return RealReport(report=report, goals=[goal], notes=["row k0 left out: no checkpoint"], limit=3)


def test_tables_show_what_was_measured_and_a_dash_for_the_rest() -> None:
    share = Estimate(value=0.5, low=0.4, high=0.6, n=10)
    measured = ["harmful", "harmful/set/catqa"]
    names = [f"{name}/{scope}" for name in ("flagged", "refused") for scope in measured]
    figures = dict.fromkeys([*names, "auroc/requests", "unsafe_replies"], share)
    text = format_report(make_report(figures))
    assert "- row k0 left out: no checkpoint" in text
    assert "| tfidf | 25.0 [0.0, 50.0] |" in text
    assert "| harmful | set/catqa | 10 | 50.0 [40.0, 60.0] | 50.0 [40.0, 60.0] |" in text
    assert "| shipped | 50.0 [40.0, 60.0] | – | – | – | – |" in text, "replies"
    assert "| shipped − tfidf | all | 20 | +0.250 [+0.000, +0.500] | 9 / 1 | 0.02 |" in text
    assert "| a goal | x | – | **NO** |" in text
    assert "## Calibration error" not in text, "nothing of it was measured"


def test_files_hold_every_figure_and_the_ids_of_what_went_wrong(tmp_path: Path) -> None:
    items = [make_item("words of a set", group="g"), make_item("other words", "harmless", SAFE)]
    scores = {"shipped": [make_score(), make_score(Decision.ALLOWED)]}
    write_report(make_report({}), items, scores, tmp_path)
    data = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert data["limit"] == 3
    assert data["goals"][0]["passed"] is False
    (failure,) = map(json.loads, (tmp_path / "failures.jsonl").read_text(encoding="utf-8").splitlines())
    assert failure["item"] == items[0].id
    assert failure["decision"] == "allowed"
    assert "prompt" not in failure
