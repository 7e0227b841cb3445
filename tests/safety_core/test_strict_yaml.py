"""YAML by hand: its content, and the line of whatever is wrong with it."""

from pathlib import Path

import pytest
from pydantic import Field

from safety_core.errors import ConfigError
from safety_core.strict_json import StrictModel
from safety_core.strict_yaml import parse_document, read_document

TEXT = """\
# a comment
first: 1
second:
  inner: {3: yes, deep: [a, b]}
  "quoted": text
"""


def test_content_and_lines() -> None:
    document = parse_document(TEXT, "x.yaml")
    assert document.data == {"first": 1, "second": {"inner": {3: True, "deep": ["a", "b"]}, "quoted": "text"}}
    assert document.find_line(("first",)) == 2
    assert document.find_line(("second", "inner", "3")) == 4
    assert document.find_line(("second", "inner", "deep", "1")) == 4
    assert document.find_line(("second", "quoted")) == 5


def test_what_was_not_written_has_the_line_of_what_it_stands_in() -> None:
    document = parse_document(TEXT, "x.yaml")
    assert document.find_line(("second", "missing", "deeper")) == 3
    assert document.find_line(("missing",)) == 2
    assert str(document.create_error(("second", "missing"), "is needed")) == "x.yaml:3: second.missing: is needed"
    assert str(document.create_error((), "is wrong")) == "x.yaml:2: is wrong"


def test_an_empty_file_says_nothing() -> None:
    document = parse_document("# nothing\n", "x.yaml")
    assert document.data is None
    assert document.find_line(("anything",)) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: [1,\n", r"^x\.yaml:3: cannot be read as YAML$"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", r"^x\.yaml:4: b\.c: the field occurs twice$"),
        ("a: 1\n3: x\n'3': y\n", r"^x\.yaml:3: 3: the field occurs twice$"),
        ("a: &loop [*loop]\n", r"^x\.yaml:1: an anchor contains itself$"),
        ("a: 1\n? [b, c]\n: 2\n", r"^x\.yaml:2: a field name must be a string$"),
        ("a: !!python/object/apply:os.getcwd []\n", r"^x\.yaml:1: cannot be read as YAML$"),
        ("a: 2026-99-99\n", r"^x\.yaml: cannot be read as YAML$"),
        ("a: 1\n---\nb: 2\n", r"^x\.yaml:2: cannot be read as YAML$"),
        ("a: \x00\n", r"cannot be read as YAML$"),
        ("[" * 5000, r"cannot be read as YAML$"),
    ],
)
def test_what_is_wrong_is_pointed_at(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_document(text, "x.yaml")


def test_a_few_lines_that_stand_for_billions_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
    )
    with pytest.raises(ConfigError, match="more than"):
        parse_document(bomb, "x.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^gone\.yaml cannot be read: there is no such file$"):
        read_document(tmp_path / "gone.yaml")
    path = tmp_path / "odd.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match=r"^odd\.yaml cannot be read as text: it is not UTF-8 text$"):
        read_document(path)
    path.write_text(TEXT, encoding="utf-8")
    assert read_document(path).data["first"] == 1


class Inner(StrictModel):
    count: int = 0


class Outer(StrictModel):
    name: str = "nobody"
    inner: dict[str, Inner] = Field(default={})


def test_a_document_is_validated_with_the_line_of_the_fault() -> None:
    good = parse_document("name: x\ninner:\n  a: {count: 3}\n", "x.yaml").parse(Outer)
    assert (good.name, good.inner["a"].count) == ("x", 3)
    assert parse_document("# nothing\n", "x.yaml").parse(Outer).name == "nobody"
    for text, message in (
        ("name: 7\n", "x.yaml:1: name: a string is needed"),
        ("inner:\n  a:\n    count: many\n", "x.yaml:3: inner.a.count: an integer is needed"),
        ("name: x\ninner:\n  a: 7\n", "x.yaml:3: inner.a: a mapping is needed"),
        ("name: x\nsurplus: 7\n", "x.yaml:2: surplus: unknown field"),
        ("- name\n", "x.yaml:1: a mapping is needed"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse_document(text, "x.yaml").parse(Outer)
        assert str(caught.value) == message
