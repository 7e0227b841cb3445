import json
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.contrast_texts import read_contrast_texts

RECORD = {
    "text": "Which knife carves a pumpkin?",
    "type": "safe",
    "level": 0,
    "group": "tools/knives",
    "split": "test",
}


def write_lines(folder: Path, *lines: str) -> Path:
    """Write a file of lines."""
    file = folder / "texts.jsonl"
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return file


def test_a_text_knows_its_phenomenon_and_whether_it_is_a_look_alike(tmp_path: Path) -> None:
    harmful = RECORD | {"type": "illegal", "level": 3}
    plain = RECORD | {"group": "plain/everyday"}
    texts = read_contrast_texts(write_lines(tmp_path, *map(json.dumps, (RECORD, harmful, plain))))
    assert [text.phenomenon for text in texts] == ["tools", "tools", "plain"]
    assert [text.is_look_alike for text in texts] == [True, False, False]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"level": "3"}, "level"),
        ({"level": -1}, "level"),
        ({"text": ""}, "text"),
        ({"group": "tools"}, "group"),
        ({"group": "Tools/Big knives"}, "group"),
        ({"split": "training"}, "split"),
        ({"kind": "sign"}, "kind"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, change: dict[str, object], field: str) -> None:
    file = write_lines(tmp_path, json.dumps(RECORD), json.dumps(RECORD | change))
    with pytest.raises(SampleError) as error:
        read_contrast_texts(file)
    assert (error.value.file, error.value.line, error.value.field) == (str(file), 2, field)


def test_what_is_not_json_or_not_there_is_named_without_quoting_it(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="not JSON") as error:
        read_contrast_texts(write_lines(tmp_path, json.dumps(RECORD), '{"text": "a secret'))
    assert error.value.line == 2
    assert "secret" not in str(error.value)
    with pytest.raises(SampleError, match=r"none\.jsonl"):
        read_contrast_texts(tmp_path / "none.jsonl")
