from pathlib import Path

import pytest

from safety_core.dataset_audit.sources.csv_source import CsvSource
from safety_core.errors import ConfigError
from tests.helpers.datasets.audit_sources import create_fields, read_items, read_words


def open_csv(folder: Path, content: bytes, **columns: str) -> CsvSource:
    file = folder / "t.csv"
    file.write_bytes(content)
    return CsvSource((file,), create_fields(folder, **columns))


def test_cells_may_contain_line_breaks_and_rows_may_be_blank(tmp_path: Path) -> None:
    items = read_items(open_csv(tmp_path, b'id;prompt\n1;"two\nlines"\n\n2;plain\n'))
    assert read_words(items) == ["two\nlines", "plain"]
    assert [(item.id, item.place) for item in items] == [("1", "t.csv:3"), ("2", "t.csv:5")]


def test_malformed_rows_are_items_with_a_problem(tmp_path: Path) -> None:
    rows = [b"id,prompt", b"1,a,b", b"2,\xff", b'3,"' + b"x" * 200_000 + b'"', b"4,good"]
    items = read_items(open_csv(tmp_path, b"\n".join(rows)))
    assert [item.problem is None for item in items] == [False, False, False, True]
    assert items[-1].id == "4"


def test_the_user_names_columns(tmp_path: Path) -> None:
    items = read_items(open_csv(tmp_path, b"a,b\n1,words\n", prompt="b", id="a"))
    assert [(item.id, read_words([item])) for item in items] == [("1", ["words"])]
    with pytest.raises(ConfigError, match="column 'c' of prompt"):
        list(open_csv(tmp_path, b"a,b\n1,words\n", prompt="c").scan())


@pytest.mark.parametrize("content", [b"", b"prompt\n", b"prompt"])
def test_a_file_without_rows_has_no_items(tmp_path: Path, content: bytes) -> None:
    assert read_items(open_csv(tmp_path, content)) == []
