from pathlib import Path

from safety_core.data.jsonl import read_jsonl
from safety_core.small.alignment.samples.writing import write_samples
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.photo_facts import make_photos


def test_samples_are_harmless_records_of_the_project(tmp_path: Path) -> None:
    file = tmp_path / "build" / "train.jsonl"
    number = write_samples(make_photos(tmp_path / "photos"), file, total=80, seed=1)
    samples = read_jsonl(file, DEFAULT_TAXONOMY).samples
    assert len(samples) == number > 60
    assert all(DEFAULT_TAXONOMY.types[sample.label.type] == "safe" and sample.label.level == 0 for sample in samples)
    assert all(sample.answer and len(sample.images) == 1 for sample in samples)
    assert any(sample.images[0].parent.name == "train" for sample in samples)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    for name in ("a", "b"):
        write_samples(photos, tmp_path / name / "train.jsonl", total=40, seed=1)
    files = [sorted(path for path in (tmp_path / name).rglob("*") if path.is_file()) for name in ("a", "b")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
