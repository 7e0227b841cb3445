from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from safety_core.dataset_audit.duplicates.index import INDEXED, group_duplicates
from safety_core.dataset_audit.duplicates.signatures import sign_text
from safety_core.dataset_audit.part_table import create_schema

LONG = "how many small birds sit on the wire behind the old station in the morning"
PICTURE, ALIKE, OTHER = 0, 0b111, 0xFFFFFFFFFFFF


def create_row(text: str = "", *hashes: int) -> dict[str, Any]:
    signature = sign_text(text)
    return {
        "picture_hashes": list(hashes),
        "text_digest": None if signature is None else signature.digest,
        "word_signature": None if signature is None else signature.words,
        "letter_signature": None if signature is None else signature.letters,
    }


def create_table(*rows: dict[str, Any]) -> pa.Table:
    schema = create_schema()
    return pa.Table.from_pylist(list(rows), schema=pa.schema([schema.field(name) for name in INDEXED]))


def test_items_are_duplicates_if_words_and_pictures_are(tmp_path: Path) -> None:
    first = create_table(
        create_row(LONG, PICTURE),
        create_row(LONG, OTHER),  # the same words about another picture
        create_row("", PICTURE),
    )
    second = create_table(
        create_row(LONG + " today", ALIKE),
        create_row("", ALIKE),
        create_row(LONG),
        create_row(),  # unreadable
        create_row(),
        create_row(LONG, OTHER, PICTURE),
        create_row(LONG, PICTURE, OTHER),
    )
    with group_duplicates([first, second], 10, tmp_path / "index") as groups:
        assert groups.items.tolist() == [0, 1, 2, 0, 2, 5, 6, 7, 8, 8]
        assert groups.sizes.tolist() == [2, 1, 2, 0, 0, 1, 1, 1, 2, 0]
        assert groups.texts.tolist()[:6] == [0, 0, 2, 0, 4, 0]
        assert groups.pictures.tolist() == [0, 1, 0, 0, 0, 1, 0, 0, 1]
        assert groups.complete
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_an_index_are_removed_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), group_duplicates([create_table(create_row())], 1, tmp_path / "index"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
