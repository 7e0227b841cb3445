import json
from pathlib import Path

from safety_core.data.conversion import convert
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_mm_safetybench(tmp_path: Path) -> None:
    root = tmp_path / "mm"
    for kind in ("SD", "SD_TYPO", "TYPO"):
        write_picture(root / "imgs" / "02-HateSpeech" / kind / "0.jpg")
    question = {"Question": "q", "Rephrased Question": "typed", "Rephrased Question(SD)": "drawn"}
    write_text(root / "processed_questions" / "02-HateSpeech.json", json.dumps({"0": question}))
    samples = convert_to_samples("mm-safetybench", root, tmp_path)
    assert name_labels(samples) == [("insults_bullying", 2)] * 3
    assert [sample.turns[0].text for sample in samples] == ["drawn", "typed", "typed"]


def test_a_question_without_one_of_its_wordings_is_skipped_as_a_whole(tmp_path: Path) -> None:
    for kind in ("SD", "SD_TYPO", "TYPO"):
        for name in "01":
            write_picture(tmp_path / "imgs" / "02-HateSpeech" / kind / f"{name}.jpg")
    good = {"Rephrased Question": "typed", "Rephrased Question(SD)": "drawn"}
    rows = {"0": good | {"Rephrased Question": ""}, "1": good}
    write_text(tmp_path / "processed_questions" / "02-HateSpeech.json", json.dumps(rows))
    report = convert("mm-safetybench", tmp_path, tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, [error.line for error in report.skipped]) == (3, [1])
