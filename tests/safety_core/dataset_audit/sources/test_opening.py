from pathlib import Path

import pytest

from safety_core.dataset_audit.sources.opening import open_source
from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.audit_sources import read_items, write_tar
from tests.helpers.images.encoding import encode_png


def test_formats_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "a.tsv").write_text("text\tid\na\t1\n")
    pictures, shards = tmp_path / "pictures", tmp_path / "shards"
    pictures.mkdir()
    shards.mkdir()
    (pictures / "a.png").write_bytes(encode_png())
    write_tar(shards / "2.tar", {"b.txt": b"b"})
    write_tar(shards / "1.tar", {"a.txt": b"a"})
    for path, kind, ids in (
        (tmp_path / "a.jsonl", "jsonl", ["a-1"]),
        (tmp_path / "a.tsv", "csv", ["1"]),
        (pictures, "folder", ["a.png"]),
        (shards, "webdataset", ["a", "b"]),
    ):
        source = open_source(path, DEFAULT_TAXONOMY, tmp_path / f"listing-{kind}")
        assert source.kind == kind
        assert [item.id for item in read_items(source)] == ids


def test_an_existing_listing_is_read_as_it_is(tmp_path: Path) -> None:
    root, listing = tmp_path / "root", tmp_path / "listing"
    root.mkdir()
    (root / "a.txt").write_text("a")
    open_source(root, DEFAULT_TAXONOMY, listing)
    (root / "b.txt").write_text("b")
    assert [item.id for item in read_items(open_source(root, DEFAULT_TAXONOMY, listing))] == ["a.txt"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("none", {}, "no such file"),
        ("a.bin", {}, "--kind"),
        ("a.gz", {}, "unpack it first"),
        ("a.bin", {"kind": "zip"}, "kind: must be one of"),
        ("a.bin", {"kind": "folder"}, "a folder is needed"),
        ("a.bin", {"columns": {"words": "x"}}, "column: fields are"),
        ("empty", {"kind": "csv"}, "there is no file .csv or .tsv"),
    ],
)
def test_what_cannot_be_audited_is_an_error(
    tmp_path: Path, name: str, options: dict[str, object], message: str
) -> None:
    (tmp_path / "a.bin").write_bytes(b"")
    (tmp_path / "a.gz").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        open_source(tmp_path / name, DEFAULT_TAXONOMY, tmp_path / "listing", **options)  # type: ignore[arg-type]
