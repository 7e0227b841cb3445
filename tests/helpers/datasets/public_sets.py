"""Small data sets in the layout of their authors, and the samples that their conversion gives."""

from pathlib import Path

from PIL import Image

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.taxonomy import DEFAULT_TAXONOMY


def write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def write_text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def convert_to_samples(name: str, root: Path, tmp_path: Path) -> list[Sample]:
    out = tmp_path / "out" / f"{name}.jsonl"
    result = convert(name, root, out)
    samples = read_jsonl(out, DEFAULT_TAXONOMY).samples
    assert result.count == len(samples)
    assert sum(result.by_type.values()) == len(samples)
    assert all(sample.source == name for sample in samples)
    return list(samples)


def name_labels(samples: list[Sample]) -> list[tuple[str, int]]:
    return [(DEFAULT_TAXONOMY.types[sample.label.type], sample.label.level) for sample in samples]
