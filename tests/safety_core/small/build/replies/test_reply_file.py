import json
from pathlib import Path

import pytest

from safety_core.data.jsonl import read_jsonl
from safety_core.errors import SampleError
from safety_core.small.build.replies.reply_file import write_reply_file
from safety_core.small.build.replies.reply_samples import ReplySample
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.world_folder import Row, write_photo, write_rows


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photos" / "calm.png"
    write_photo(file, 1)
    return file


def reply(number: int, photo: Path | None = None, label: tuple[str, int] = ("illegal", 3)) -> ReplySample:
    return ReplySample(id=f"reply/{number}", prompt="Do it.", reply="No.", label=label, source="catqa", photo=photo)


def describe(name: str, image: str) -> Row:
    turns = [{"from": "USER", "value": "What is it?"}, {"from": "ASSISTANT", "value": "A dome."}]
    safe = DEFAULT_TAXONOMY.types.index(DEFAULT_TAXONOMY.safe_type)
    return {"id": name, "image": image, "conversations": turns, "safe_type": safe, "safe_level": 0}


def test_replies_and_descriptions_are_records_with_their_pictures(tmp_path: Path, photo: Path) -> None:
    """Pictures of the alignment are its own collages, named relative to its file, and photographs."""
    collage = tmp_path / "alignment" / "train" / "collage.jpg"
    write_photo(collage, 2)
    rows = [describe("collage/1", "train/collage.jpg"), describe("name/1", str(photo))]
    write_rows(tmp_path / "alignment" / "train.jsonl", rows)
    file = tmp_path / "samples" / "replies.jsonl"
    replies = [reply(1), reply(2, photo, label=("privacy", 1))]
    assert write_reply_file(file, tmp_path / "alignment" / "train.jsonl", replies, seed=0) == 4
    samples = {sample.id: sample for sample in read_jsonl(file, DEFAULT_TAXONOMY).samples}
    assert [sample.answer for sample in samples.values()].count("A dome.") == 2
    assert samples["reply/1"].images == ()
    assert (samples["reply/1"].answer, samples["reply/1"].source) == ("No.", "catqa")
    labels = {name: (DEFAULT_TAXONOMY.types[one.label.type], one.label.level) for name, one in samples.items()}
    assert labels == {
        "reply/1": ("illegal", 3),
        "reply/2": ("privacy", 1),
        "collage/1": ("safe", 0),
        "name/1": ("safe", 0),
    }
    for name, drawn in (("collage/1", collage), ("name/1", photo), ("reply/2", photo)):
        (image,) = samples[name].images
        assert image.samefile(drawn)


def test_the_file_holds_relative_paths_only(tmp_path: Path, photo: Path) -> None:
    file = tmp_path / "samples" / "replies.jsonl"
    write_reply_file(file, None, [reply(1, photo)], seed=0)
    assert json.loads(file.read_text())["image"] == ["../photos/calm.png"]


def test_the_order_is_random_and_depends_on_the_seed_alone(tmp_path: Path) -> None:
    replies = [reply(number) for number in range(20)]

    def list_ids(seed: int) -> list[str]:
        write_reply_file(tmp_path / "replies.jsonl", None, replies, seed=seed)
        return [json.loads(line)["id"] for line in (tmp_path / "replies.jsonl").read_text().splitlines()]

    assert sorted(list_ids(0)) == sorted(sample.id for sample in replies)
    assert list_ids(0) == list_ids(0)
    assert list_ids(0) != list_ids(1) != [sample.id for sample in replies]


def test_a_malformed_description_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(json.dumps(describe("a", "a.jpg")) + "\n{\n")
    with pytest.raises(SampleError, match=r"train\.jsonl:2"):
        write_reply_file(tmp_path / "replies.jsonl", tmp_path / "train.jsonl", [], seed=0)
    assert not (tmp_path / "replies.jsonl").exists()
