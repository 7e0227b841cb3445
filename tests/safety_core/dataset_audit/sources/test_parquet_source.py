from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from safety_core.dataset_audit.sources.item import Cursor, read_picture
from safety_core.dataset_audit.sources.parquet_source import ParquetSource
from tests.helpers.datasets.audit_sources import create_fields, read_items, read_words
from tests.helpers.images.encoding import encode_png


def open_table(folder: Path, columns: dict[str, Any], *, rows: int = 17) -> ParquetSource:
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=rows)
    return ParquetSource((folder / "t.parquet",), create_fields(folder))


def test_pictures_are_read_from_any_row(tmp_path: Path) -> None:
    contents = [encode_png(size=(8 + number, 9)) for number in range(40)]
    source = open_table(
        tmp_path,
        {"image": [{"bytes": content, "path": "x.png"} for content in contents], "text": [f"t{n}" for n in range(40)]},
    )
    items = read_items(source)
    assert [read_picture(item.pictures[0], 1 << 20) for item in items] == contents
    assert read_words(items) == [f"t{number}" for number in range(40)]
    assert (items[39].id, items[39].place) == ("t-40", "t.parquet:40")


def test_a_file_that_is_no_parquet_is_one_bad_item(tmp_path: Path) -> None:
    good = open_table(tmp_path, {"text": ["a", "b"]}).files[0]
    bad = tmp_path / "a.parquet"
    bad.write_bytes(b"PAR1 nothing")
    items = read_items(ParquetSource((bad, good), create_fields(tmp_path)))
    assert [item.problem is None for item in items] == [False, True, True]


def test_a_damaged_group_of_rows_makes_its_rest_bad_items(tmp_path: Path) -> None:
    source = open_table(tmp_path, {"text": [f"some words {number}" * 20 for number in range(40)]}, rows=20)
    content = bytearray(source.files[0].read_bytes())
    place = pq.ParquetFile(source.files[0]).metadata.row_group(1).column(0).data_page_offset
    content[place : place + 40] = b"\xff" * 40
    source.files[0].write_bytes(content)
    items = list(source.stream(Cursor()))
    assert len(items) == 40
    assert all(item.problem is None for item in items[:20])
    assert all(item.problem is not None for item in items[20:])
