import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def encode_picture(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def make_row(colour: str, **more: str) -> dict[str, Any]:
    return {"image": {"bytes": encode_picture(colour), "path": f"{colour}.png"}, "question": f"Why {colour}?", **more}


def test_spa_vl(tmp_path: Path) -> None:
    root = tmp_path / "spa"
    write_picture(root / "1.png")
    row = {"image": "1.png", "question": "How?", "chosen": "No.", "rejected": "So.", "class1": "Malicious Use"}
    write_text(root / "train.jsonl", json.dumps(row))
    (sample,) = convert_to_samples("spa-vl", root, tmp_path)
    assert name_labels([sample]) == [("illegal", 3)]
    assert sample.answer == "No."


def test_spa_vl_as_parquet(tmp_path: Path) -> None:
    root = tmp_path / "spa"
    rows = [
        make_row("red", chosen="No.", rejected="So.", class1="Malicious Use", class2="x", class3="y"),
        make_row("blue", chosen="", rejected="So.", class1="Information & Safety Harms"),
        make_row("red", chosen="No.", rejected="So.", class1="representation_toxicity_harms"),
    ]
    write_parquet(root / "validation" / "validation-00000-of-00001.parquet", rows)
    write_parquet(root / "test" / "harm-00000-of-00001.parquet", [make_row("green", class1="Misinformation Harms")])
    write_parquet(root / "data" / "train-00000-of-00001.parquet", [make_row("white", chosen="No.", rejected="So.")])
    out = tmp_path / "new" / "spa.jsonl"
    assert convert("spa-vl", root, out, split="validation").count == 3
    samples = list(read_jsonl(out, DEFAULT_TAXONOMY).samples)
    assert name_labels(samples) == [("illegal", 3), ("privacy", 3), ("fairness", 2)]
    assert [sample.answer for sample in samples] == ["No.", None, "No."]
    assert samples[0].images == samples[2].images != samples[1].images
    assert samples[1].images[0].read_bytes() == encode_picture("blue")
    assert convert("spa-vl", root, out, split="harm").count == 1
    # The training split does not say what its questions are about: somebody must.
    with pytest.raises(ConfigError, match=r"'unclassified' has no label.*--labels"):
        convert("spa-vl", root, tmp_path / "other" / "train.jsonl", split="train")
    assert not (tmp_path / "other").exists()
    given = {"unclassified": ("illegal", 2)}
    assert convert("spa-vl", root, out, split="train", labels=given).by_type == {"illegal": 1}


def test_pictures_of_a_conversion_that_failed_go_again(tmp_path: Path) -> None:
    bad = {"image": {"bytes": None, "path": None}, "question": "Why?", "class1": "Malicious Use"}
    rows = [make_row("red", class1="Malicious Use"), bad]
    write_parquet(tmp_path / "spa" / "test-0.parquet", rows)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SampleError, match=r"test-0\.parquet:2: image"):
        convert("spa-vl", tmp_path / "spa", tmp_path / "deep" / "new" / "out.jsonl")
    assert sorted(tmp_path.rglob("*")) == before
    report = convert("spa-vl", tmp_path / "spa", tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, len(report.skipped)) == (1, 1)
    (tmp_path / "spa" / "test-0.parquet").write_bytes(b"no table")
    with pytest.raises(SampleError, match="cannot be read as Parquet"):
        convert("spa-vl", tmp_path / "spa", tmp_path / "out.jsonl")
