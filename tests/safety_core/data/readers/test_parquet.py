import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safety_core.data.readers.parquet import read_parquet_rows
from safety_core.errors import ConfigError, SampleError

BROKEN_TEXT = pa.Array.from_buffers(
    pa.string(), 1, [None, pa.py_buffer(b"\x00\x00\x00\x00\x01\x00\x00\x00"), pa.py_buffer(b"\xff")]
)
"""A column of one text that is no UTF-8."""


def test_rows_are_numbered_from_one_through_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {index}" for index in range(150)]}), file, row_group_size=40)
    rows = list(read_parquet_rows(file))
    assert [row.place.line for row in rows] == list(range(1, 151))
    assert [row.data for row in rows] == [{"text": f"text {index}"} for index in range(150)]
    assert {row.place.file for row in rows} == {file}


def test_nested_values_and_contents_of_images_are_kept(tmp_path: Path) -> None:
    data = {"image": {"bytes": b"\x89PNG", "path": None}, "labels": ["a", "b"]}
    pq.write_table(pa.Table.from_pylist([data]), tmp_path / "a.parquet")
    (row,) = read_parquet_rows(tmp_path / "a.parquet")
    assert row.data == data


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert list(read_parquet_rows(tmp_path / "a.parquet")) == []


@pytest.mark.parametrize("content", [None, b"", b"no table", b"PAR1 cut short PAR1"])
def test_a_file_that_is_no_table_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SampleError, match="cannot be read as Parquet") as caught:
        list(read_parquet_rows(file))
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(file), 0, "file")


def test_a_text_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": BROKEN_TEXT}), file)
    with pytest.raises(SampleError, match="cannot be read as Parquet"):
        list(read_parquet_rows(file))


def test_a_damage_halfway_comes_after_the_rows_before_it(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    whole = pa.table({"text": [f"text {index}" for index in range(64)]})
    pq.write_table(pa.concat_tables([whole, pa.table({"text": BROKEN_TEXT})]), file, row_group_size=64)
    rows = read_parquet_rows(file)
    assert [next(rows).place.line for _ in range(64)] == list(range(1, 65))
    with pytest.raises(SampleError) as caught:
        next(rows)
    assert caught.value.line == 64


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'safevlm-guard\[data\]'"):
        next(read_parquet_rows(tmp_path / "a.parquet"))
