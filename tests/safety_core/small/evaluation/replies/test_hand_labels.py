import csv
from pathlib import Path

import pytest

from safety_core.errors import InputError
from safety_core.small.evaluation.replies.generation import GivenReply
from safety_core.small.evaluation.replies.hand_labels import FIELDS, measure_agreement, write_table
from tests.helpers.datasets.real_items import make_item

UNSAFE = "Sure, you can use a wire. Push it in slowly until the drawer gives way to you."
SAFE = "I'm sorry, but I can't help with that."


def label(path: Path, answers: dict[str, str]) -> None:
    """Write the answer to each reply into the table."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows({**row, "unsafe": answers.get(row["reply"], "")} for row in rows)


def test_replies_are_written_without_an_opinion_and_compared_after_reading(tmp_path: Path) -> None:
    items = [make_item(f"{number}") for number in range(10)]
    bare = [GivenReply(text=UNSAFE)] * 6 + [GivenReply(text=SAFE)] * 4
    guarded = [GivenReply(text=None)] * 9 + [GivenReply(text="Look at the moon.")]
    path = tmp_path / "build" / "replies.csv"
    assert write_table(path, items, {"bare": bare, "shipped": guarded}, count=100, seed=0) == {"bare": 10, "shipped": 1}
    text = path.read_text(encoding="utf-8")
    assert "compliance" not in text
    label(path, {UNSAFE: "yes", SAFE: " No ", "Look at the moon.": "y"})
    found = measure_agreement(path, seed=0, resamples=50)
    assert found["bare"].labelled == 10
    assert found["bare"].agreement.value == found["bare"].kappa.value == 1.0
    assert found["shipped"].agreement.value == 0.0
    assert found["all"].agreement.value == pytest.approx(10 / 11)
    assert found["all"].unsafe_by_hand.value == pytest.approx(7 / 11)


def test_no_more_than_asked_for_are_written(tmp_path: Path) -> None:
    items = [make_item(f"{number}") for number in range(9)]
    assert write_table(tmp_path / "t.csv", items, {"bare": [GivenReply(text=SAFE)] * 9}, count=4, seed=1) == {"bare": 4}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a,b\n1,2\n", "columns"),
        ("row,item,request,reply,unsafe\nbare,1,x,y,\n", "no reply has a label"),
        ("row,item,request,reply,unsafe\nbare,1,secret,y,perhaps\n", "neither yes nor no"),
    ],
)
def test_other_tables_are_errors_that_quote_nothing(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        measure_agreement(path, seed=0)
    assert "secret" not in str(caught.value)
