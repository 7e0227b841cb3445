import csv
from collections.abc import Callable
from pathlib import Path

from safety_core.evaluation.runs.registered import RunRequest
from safety_core.evaluation.statistics.estimates import Estimate
from safety_core.small.evaluation.hand_reading import format_agreement, write_replies
from safety_core.small.evaluation.replies.hand_labels import Agreement


def test_replies_of_both_models_are_written_for_reading(
    make_request: Callable[..., RunRequest], tmp_path: Path
) -> None:
    table = tmp_path / "replies.csv"
    written = write_replies(make_request(), table, count=2)
    assert set(written) == {"bare", "shipped"}
    assert written["bare"] == 2
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(written.values())
    assert all(row["request"] and row["unsafe"] == "" for row in rows)


def test_agreement_is_shown_with_intervals() -> None:
    share = Estimate(value=0.5, low=0.25, high=0.75, n=8)
    nothing = Estimate(value=None, low=None, high=None, n=0)
    found = Agreement(labelled=8, agreement=share, kappa=nothing, unsafe_by_hand=share, unsafe_by_rule=share)
    assert "| bare | 8 | 50.0 [25.0, 75.0] |" in format_agreement({"bare": found})
    assert format_agreement({"bare": found}).endswith("| – |")
