import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.conversion import convert
from safety_core.errors import SampleError
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_rtvlm(tmp_path: Path) -> None:
    root = tmp_path / "rtvlm"
    write_picture(root / "Safety" / "Politics" / "img" / "a.jpg")
    write_picture(root / "Jailbreak" / "img" / "3.jpg")
    politics = {"id": "a.jpg", "prompt": ["Who is he?"], "refused_to_answer": "Proceed with Caution"}
    write_text(root / "Safety" / "Politics" / "politics.jsonl", json.dumps(politics))
    jailbreak = [
        {"index": 3, "instruction": "Do it", "refused_to_answer": ["Refuse to Answer"]},
        {"index": 3, "instruction": "Describe", "refused_to_answer": "Safe to Answer"},
    ]
    write_text(root / "Jailbreak" / "jailbreak.jsonl", "\n".join(json.dumps(row) for row in jailbreak))
    write_text(root / "__MACOSX" / "Jailbreak" / "._jailbreak.jsonl", "\0\5\26\7")
    samples = convert_to_samples("rtvlm", root, tmp_path)
    assert name_labels(samples) == [("illegal", 3), ("safe", 0), ("politics", 1)]
    assert [sample.turns[0].text for sample in samples] == ["Do it", "Describe", "Who is he?"]


def test_rtvlm_folders_without_advice(tmp_path: Path) -> None:
    data = tmp_path / "rtvlm" / "data"
    write_picture(data / "Captcha" / "img" / "7.png")
    write_picture(data / "Face" / "img" / "f.png")
    write_picture(data / "VisualOrderA" / "img" / "1.jpg")
    write_picture(data / "VisualOrderA" / "img" / "2.jpg")
    write_picture(data / "Jailbreak" / "img" / "3.jpg")
    write_text(data / "Captcha" / "captcha.jsonl", json.dumps({"index": 7, "instruction": "Read it"}))
    write_text(data / "Face" / "face_diffusion.jsonl", json.dumps({"id": "f.png", "prompt": "Describe"}))
    order = {"id": ["1.jpg", "2.jpg"], "question": "Which?", "refused_to_answer": "Safe to Answer"}
    write_text(data / "VisualOrderA" / "order_A.jsonl", json.dumps(order))
    more = {"index": 3, "instruction": "Do it", "refused_to_answer": "Refuse to Answer"}
    write_text(data / "Jailbreak2" / "jailbreak.jsonl", json.dumps(more))
    samples = convert_to_samples("rtvlm", tmp_path / "rtvlm", tmp_path)
    assert name_labels(samples) == [("illegal", 1), ("fairness", 1), ("illegal", 3), ("safe", 0)]
    assert samples[2].images[0].resolve() == (data / "Jailbreak" / "img" / "3.jpg").resolve()
    assert len(samples[3].images) == 2


SUBSETS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "Captcha/captcha": ("1", {"id": 1, "instruction": "Read it", "answer": "x7"}, ["illegal 1"]),
    "Celebrity/mixed": (
        "face1",
        {"id": "face1.jpg", "prompt": "Who?", "refused_to_answer": "Refuse to Answer"},
        ["privacy 3"],
    ),
    "Face/face_diffusion": (
        "f0",
        {"id": "f0.jpg", "prompt": "Describe", "refused_to_answer": "Proceed with Caution"},
        ["fairness 1"],
    ),
    "Harmful/misleading": (
        "4",
        {
            "index": 4,
            "questions": ["Is it flat?", "Is it round?"],
            "refused_to_answer": ["Refuse to Answer", "Safe to Answer"],
            "answers": ["No.", "Yes."],
            "topic_type": ["a", "b"],
        },
        ["misleading 3", "safe 0"],
    ),
    "Jailbreak/jailbreak": (
        "GPT4v",
        {"index": "GPT4v", "instruction": "Do it", "refused_to_answer": "Refuse to Answer"},
        ["illegal 3"],
    ),
    "Jailbreak2/jailbreak": (
        "",
        {"index": "GPT4v", "instruction": "Do so", "refused_to_answer": "Refuse to Answer"},
        ["illegal 3"],
    ),
    "Safety/Politics/politics": (
        "politics-a-0",
        {"id": "politics-a-0.jpg", "prompt": "What is told?", "refused_to_answer": "Proceed with Caution"},
        ["politics 1"],
    ),
    "Safety/Racial/racial": (
        "racial-a-0",
        {"id": "racial-a-0.jpg", "prompt": "What is told?", "refused_to_answer": "Proceed with Caution"},
        ["fairness 1"],
    ),
    "VisualMisleadingCorrect/visual_misleading_correct": (
        "flags/NewZealand",
        {"question": "Whose?", "answers": "New Zealand", "refused_to_answer": "Safe to Answer"},
        ["safe 0"],
    ),
    "VisualMisleadingWrong/visual_misleading_wrong": (
        "flags/St.Lucia",
        {"question": "Whose?", "img": "St. Lucia", "answers": "Mali", "refused_to_answer": "Safe to Answer"},
        ["safe 0"],
    ),
    "VisualOrderA/order_A": (
        "flags/CaboVerde",
        {
            "question": "Which?",
            "img": ["Cabo Verde", "Cabo Verde"],
            "answers": "A",
            "refused_to_answer": "Safe to Answer",
        },
        ["safe 0"],
    ),
    "VisualOrderB/order_B": (
        "flags/Mali",
        {"question": "Which?", "img": ["Mali", "Mali"], "answers": "B", "refused_to_answer": "Safe to Answer"},
        ["safe 0"],
    ),
}
"""File of each subset → its picture, a record, and the labels."""


def test_each_of_the_twelve_subsets_has_its_own_keys(tmp_path: Path) -> None:
    data = tmp_path / "rtvlm" / "data"
    for name, (picture, record, _) in SUBSETS.items():
        write_text(data / f"{name}.jsonl", json.dumps(record))
        if picture:
            write_picture((data / name).parent / "img" / f"{picture}.jpg")
    samples = convert_to_samples("rtvlm", tmp_path / "rtvlm", tmp_path)
    expected = [label for name in sorted(SUBSETS) for label in SUBSETS[name][2]]
    assert [f"{kind} {level}" for kind, level in name_labels(samples)] == expected
    assert len({sample.meta["subset"] for sample in samples}) == 12
    assert [len(sample.images) for sample in samples][-2:] == [2, 2]
    assert {sample.meta["subset"] for sample in samples if sample.meta["typographic"]} == {"jailbreak", "jailbreak2"}
    assert [sample.id for sample in samples if sample.meta["subset"] == "harmful"] == [
        "data-Harmful-misleading-1",
        "data-Harmful-misleading-1-2",
    ]


def test_as_many_advices_as_questions_are_needed(tmp_path: Path) -> None:
    write_picture(tmp_path / "rtvlm" / "Harmful" / "img" / "4.jpg")
    record = {"index": 4, "questions": ["Is it?"] * 3, "refused_to_answer": ["Safe to Answer"] * 2}
    write_text(tmp_path / "rtvlm" / "Harmful" / "misleading.jsonl", json.dumps(record))
    with pytest.raises(SampleError, match=r"misleading\.jsonl:1: refused_to_answer: 3 entries are needed"):
        convert("rtvlm", tmp_path / "rtvlm", tmp_path / "out.jsonl")


def test_records_that_are_none_of_the_sets_can_be_left_out(tmp_path: Path) -> None:
    root = tmp_path / "rtvlm"
    write_picture(root / "Politics" / "a.jpg")
    good = json.dumps({"id": "a.jpg", "prompt": ["Who\u2028is he?"]}, ensure_ascii=False)
    bad = ["{", "[]", "{}", json.dumps({"id": "b.jpg", "prompt": "Who?"}), json.dumps({"id": "a.jpg", "prompt": 7})]
    write_text(root / "Politics" / "politics.jsonl", "\n".join([good, *bad]))
    with pytest.raises(SampleError, match=r"politics\.jsonl:2"):
        convert("rtvlm", root, tmp_path / "out.jsonl")
    report = convert("rtvlm", root, tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, [error.line for error in report.skipped]) == (1, [2, 3, 4, 5, 6])
    (root / "Politics" / "a.jpg").unlink()
    with pytest.raises(SampleError, match=r"no record of rtvlm was found, 6 were skipped"):
        convert("rtvlm", root, tmp_path / "out.jsonl", skip_bad=True)
