"""Sources of audits in every format, and how their items are compared."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from safety_core.dataset_audit.sources.fields import FieldReader
from safety_core.dataset_audit.sources.item import AuditItem, Cursor
from safety_core.dataset_audit.sources.source import Source
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.images.encoding import encode_image

RESULT_FILES = (
    "records.parquet",
    "filter.jsonl",
    "filter.csv",
    "unreadable.jsonl",
    "summary.json",
    "report.html",
)
"""What an audit writes for its user."""


def draw_blocks(seed: int, *, size: tuple[int, int] = (48, 36)) -> Image.Image:
    """A picture of random blocks, unlike that of any other seed."""
    rng = Random(seed)
    image = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(9):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        fill = tuple(rng.randrange(256) for _ in range(3))
        draw.rectangle((left, top, left + rng.randrange(4, 24), top + rng.randrange(4, 18)), fill=fill)
    return image


def write_mixed_jsonl(folder: Path, count: int) -> Path:
    """Write pictures, texts, pairs and conversations, with some that are broken or occur twice."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for number in range(count):
        name = f"{number % (count - 3)}.png"  # the last ones show pictures of the first
        if number < count - 3:
            (folder / name).write_bytes(encode_image(draw_blocks(number)) if number % 11 != 5 else b"no picture")
        turns = [{"from": "USER", "value": f"What is in corner number {number}?"}]
        if number % 7 == 0:
            turns += [{"from": "ASSISTANT", "value": "A block."}, {"from": "USER", "value": "Are you sure?"}]
        record: dict[str, Any] = {
            "id": f"r{number}",
            "image": None if number % 3 == 1 else name,
            "conversations": [] if number % 3 == 0 else turns,
        }
        if number % 4 == 0:
            record |= {"safe_type": 6, "safe_level": 0}
        lines.append(json.dumps(record))
    lines.insert(count // 2, "{broken")
    file = folder / "data.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def write_tar(file: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar file."""
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def create_fields(root: Path, **columns: str) -> FieldReader:
    """A reader of fields with the default taxonomy."""
    return FieldReader(root=root, columns=columns, taxonomy=DEFAULT_TAXONOMY)


def read_items(source: Source) -> list[AuditItem]:
    """All items of a source, after checking that each of them can be read from its own position."""
    items = list(source.stream(Cursor()))
    assert [item.cursor for item in items] == list(source.scan())
    for item in items:
        assert next(iter(source.stream(item.cursor))) == item
    return items


def read_words(items: Sequence[AuditItem]) -> list[str | None]:
    """The words of each item; None without any."""
    return [item.turns[-1].text if item.turns else None for item in items]
