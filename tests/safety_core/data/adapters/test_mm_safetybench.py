import json
from pathlib import Path

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
