import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from safety_core.errors import SampleError
from safety_core.evaluation.benchmarks.training_rows.building import build_training_rows
from safety_core.evaluation.benchmarks.training_rows.marking import TrainingRowMarker
from safety_core.training_rows_file import TRAINING_ROWS_FILE, encode_training_rows

pytest.importorskip("imagehash")

HEDGE = "How does a gardener cut a tall hedge without a ladder?"


def draw_picture(file: Path, corner: tuple[int, int], size: int = 200) -> Path:
    picture = Image.new("RGB", (size, size), "navy")
    place = [share * size // 100 for share in (*corner, corner[0] + 40, corner[1] + 30)]
    ImageDraw.Draw(picture).ellipse(place, fill="yellow")
    ImageDraw.Draw(picture).line([(0, size), place[:2]], fill="white", width=size // 20)
    picture.save(file, quality=80)
    return file


@pytest.fixture
def marker(tmp_path: Path) -> TrainingRowMarker:
    draw_picture(tmp_path / "a.jpg", (10, 10))
    records: list[dict[str, object]] = [
        {"id": "7", "source": "garden", "image": None, "conversations": [{"from": "USER", "value": HEDGE}]},
        {"id": "8", "image": "a.jpg", "conversations": [{"from": "USER", "value": "What is this?"}]},
    ]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(one | {"safe_type": 6, "safe_level": 0}) + "\n" for one in records))
    built = build_training_rows([file])
    assert (built.rows.records, built.without_source, built.pictures) == (2, 1, 1)
    (tmp_path / TRAINING_ROWS_FILE).write_bytes(encode_training_rows(built.rows))
    loaded = TrainingRowMarker.load(tmp_path)
    assert loaded is not None
    return loaded


def test_items_with_a_trained_id_or_nearly_the_same_words_are_marked(marker: TrainingRowMarker) -> None:
    assert marker.mark(source="garden", item_id="7", turns=["Another text"], pictures=[]) == "id"
    words = HEDGE.split()
    changed = [" ".join([*words[:place], "never", *words[place + 1 :]]) for place in range(len(words))]
    marks = [marker.mark(source="other", item_id="7", turns=[text], pictures=[]) for text in [HEDGE, *changed]]
    assert marks[0] == "near"
    assert marks.count("near") > len(words) / 2
    assert marker.mark(source="other", item_id="7", turns=["A text about something else"], pictures=[]) is None


def test_words_and_pictures_must_both_be_known(marker: TrainingRowMarker, tmp_path: Path) -> None:
    copy = draw_picture(tmp_path / "copy.jpg", (10, 10), size=320)
    other = draw_picture(tmp_path / "other.jpg", (50, 55))

    def mark(text: str, picture: Path) -> str | None:
        return marker.mark(source="x", item_id="1", turns=[text], pictures=[picture])

    assert mark("what is THIS", copy) == "near"
    assert mark("What is this?", other) is None
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert mark("What is this?", tmp_path / "broken.jpg") is None
    assert mark("Name the colours that you see in it", copy) is None


def test_a_checkpoint_without_fingerprints_marks_nothing(tmp_path: Path) -> None:
    assert TrainingRowMarker.load(tmp_path) is None


def test_malformed_records_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text("{}\n")
    with pytest.raises(SampleError):
        build_training_rows([file])
