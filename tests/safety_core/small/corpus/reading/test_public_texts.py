from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.corpus.reading.public_texts import read_public_texts
from safety_core.small.corpus.records import Record
from tests.helpers.datasets.world_folder import TEXTS, Row, write_rows, write_world


def read(folder: Path, source: str, rows: list[Row] | None = None) -> tuple[list[Record], Counter[tuple[str, str]]]:
    write_world(folder, TEXTS if rows is None else {source: rows}, ())
    left_out: Counter[tuple[str, str]] = Counter()
    return read_public_texts(source, folder / "texts", left_out), left_out


def test_ids_depend_on_the_text_alone(tmp_path: Path) -> None:
    rows = list(TEXTS["catqa"])
    there, _ = read(tmp_path / "a", "catqa", rows)
    back, _ = read(tmp_path / "b", "catqa", rows[::-1])
    assert {record.id: record.label for record in there} == {record.id: record.label for record in back}
    assert all(record.id.startswith("catqa/") for record in there)


def test_rows_without_a_label_are_counted_by_reason(tmp_path: Path) -> None:
    records, left_out = read(tmp_path, "harmfulqa")
    assert [record.label for record in records] == [("illegal", 3), None]
    assert list(left_out.values()) == [1]


def test_personal_data_are_harmless_words_and_risky_lettering(tmp_path: Path) -> None:
    records, _ = read(tmp_path, "pii")
    assert [(record.surface, record.label) for record in records] == [
        ("prompt", ("safe", 0)),
        ("lettering", ("privacy", 1)),
        ("prompt", ("safe", 0)),
        ("lettering", ("privacy", 2)),
        ("both", ("safe", 0)),
    ]
    assert len({record.id for record in records}) == len(records)
    assert len({record.base_id for record in records}) == len(TEXTS["pii"])


def test_a_question_and_its_answers_are_one_family(tmp_path: Path) -> None:
    records, left_out = read(tmp_path, "truthfulqa")
    assert [record.label for record in records] == [("safe", 0), ("safe", 0), ("misleading", 1), None]
    assert len({record.family for record in records}) == 1
    assert sum(left_out.values()) == 1  # "moonlight" is no claim


def test_cases_of_one_pattern_are_one_family(tmp_path: Path) -> None:
    one, two, other = read(tmp_path, "hatecheck")[0]
    assert one.family == two.family != other.family


def test_requests_are_made_of_issues_and_openings(tmp_path: Path) -> None:
    records, left_out = read(tmp_path, "issuebench_issues")
    requests = {record.text: record.label for record in records if record.topic == "317"}
    assert all(" about thing 317" in text for text in requests)
    assert {label for text, label in requests.items() if text.endswith("being good")} == {("politics", 2)}
    assert {label for text, label in requests.items() if text.endswith("317")} == {("safe", 0)}
    assert all(record.surface == "prompt" for record in records if record.label)
    assert not any(record.label for record in records if record.topic == "-1")
    assert any("no topics" in reason for _, reason in left_out)


def test_character_references_are_decoded(tmp_path: Path) -> None:
    assert read(tmp_path, "benign_fastchat")[0][1].text == "Write a limerick on tea & toast."


def test_a_text_with_two_labels_is_left_out(tmp_path: Path) -> None:
    rows: list[Row] = [{"text": "Mind the gap", "label": label} for label in ("Toxic", "Not Toxic")]
    records, left_out = read(tmp_path, "toxicity_surge", rows)
    assert [record.label for record in records] == [None]
    assert left_out == {("toxicity_surge", "the same text carries two labels"): 1}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{not JSON", "record"),
        ('{"category": "Illegal Activity"}', "text"),
        ('{"text": "  ", "category": "Illegal Activity"}', "text"),
        ('{"text": "secret words", "category": 3}', "category"),
        ('{"text": "secret words", "category": "Unheard of"}', "category"),
    ],
)
def test_a_malformed_line_is_named_and_not_quoted(tmp_path: Path, line: str, field: str) -> None:
    file = tmp_path / "texts" / "catqa.jsonl"
    write_rows(file, TEXTS["catqa"])
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(SampleError, match=rf"catqa\.jsonl:3: {field}: ") as caught:
        read_public_texts("catqa", tmp_path / "texts", Counter())
    assert "secret words" not in str(caught.value)
