from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from safety_core.data.conversion import convert
from safety_core.data.jsonl import read_jsonl
from safety_core.errors import SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture


def encode_picture(colour: str, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, kind)
    return buffer.getvalue()


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_images_are_stored_whatever_their_column_holds(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_picture(root / "3.png")
    write_parquet(
        root / "a.parquet", [{"image": {"bytes": encode_picture("red"), "path": "x.png"}, "label": "illegal"}]
    )
    write_parquet(root / "b.parquet", [{"image": encode_picture("blue", "JPEG"), "label": "privacy"}])
    write_parquet(root / "c.parquet", [{"image": "3.png", "label": "safe"}])
    write_parquet(root / "d.parquet", [{"image": [encode_picture("red"), encode_picture("green")], "label": "safe"}])
    samples = convert_to_samples("parquet", root, tmp_path)
    assert name_labels(samples) == [("illegal", 3), ("privacy", 3), ("safe", 0), ("safe", 0)]
    assert [[image.suffix for image in sample.images] for sample in samples] == [
        [".png"],
        [".jpg"],
        [".png"],
        [".png", ".png"],
    ]
    assert samples[0].images[0] == samples[3].images[0]
    assert samples[1].images[0].read_bytes() == encode_picture("blue", "JPEG")


def test_numbers_and_truth_values_are_categories(tmp_path: Path) -> None:
    rows = [{"text": "Why?", "label": 1.0}, {"text": "How?", "label": 0.0}, {"text": "Who?", "label": float("nan")}]
    write_parquet(tmp_path / "a.parquet", rows)
    labels = {"1": ("illegal", 2), "0": ("safe", 0), "true": ("illegal", 3)}
    out = tmp_path / "out.jsonl"
    report = convert("parquet", tmp_path / "a.parquet", out, labels=labels, allow_unlabelled=True)
    assert (report.by_type, report.unlabelled) == ({"illegal": 1, "safe": 1}, 1)
    write_parquet(tmp_path / "a.parquet", [{"text": "Why?", "harmful": True}])
    convert("parquet", tmp_path / "a.parquet", out, labels=labels, columns={"category": "harmful"})
    assert name_labels(list(read_jsonl(out, DEFAULT_TAXONOMY).samples)) == [("illegal", 3)]


def test_a_cell_that_is_no_image_is_named(tmp_path: Path) -> None:
    for number, image in enumerate((b"no picture", {"bytes": None, "path": None}), start=1):
        write_parquet(tmp_path / f"{number}.parquet", [{"image": image, "prompt": "Why?", "label": "safe"}])
        with pytest.raises(SampleError, match=rf"{number}\.parquet:1: image: the path, or the content of a JPEG"):
            convert("parquet", tmp_path / f"{number}.parquet", tmp_path / "out.jsonl")
    write_parquet(tmp_path / "3.parquet", [{"prompt": {"a": 1}, "label": "safe"}])
    with pytest.raises(SampleError, match=r"3\.parquet:1: prompt: a text or a number is needed"):
        convert("parquet", tmp_path / "3.parquet", tmp_path / "out.jsonl")
