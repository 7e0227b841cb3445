import json
from pathlib import Path

from safety_core.data.conversion import convert
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_llava_instruct(tmp_path: Path) -> None:
    root = tmp_path / "llava"
    write_picture(root / "1.jpg")
    turns = [
        {"from": "human", "value": "<image>\nWhat?"},
        {"from": "gpt", "value": "A cat."},
        {"from": "human", "value": "Where?"},
        {"from": "gpt", "value": "Here."},
    ]
    write_text(root / "mix.json", json.dumps([{"id": "x", "image": "1.jpg", "conversations": turns}]))
    first, second = convert_to_samples("llava-instruct", root, tmp_path)
    assert first.turns[0].text == "What?"
    assert [turn.text for turn in second.conversation] == ["What?", "A cat.", "Where?", "Here."]
    assert name_labels([first, second]) == [("safe", 0)] * 2


def test_records_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
    rows = [{"id": "x", "conversations": turns}] * 2
    write_text(tmp_path / "llava" / "mix.json", json.dumps(rows))
    assert len(convert_to_samples("llava-instruct", tmp_path / "llava", tmp_path)) == 2


def test_a_conversation_with_an_empty_turn_is_skipped(tmp_path: Path) -> None:
    good, bad = ([{"from": "human", "value": "What?"}, {"from": "gpt", "value": reply}] for reply in ("A cat.", ""))
    write_text(
        tmp_path / "mix.json",
        json.dumps([{"id": "bad", "conversations": good + bad}, {"id": 3, "conversations": good}]),
    )
    report = convert("llava-instruct", tmp_path, tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, [error.field for error in report.skipped]) == (1, ["conversations[3].value"])
