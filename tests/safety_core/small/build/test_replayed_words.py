import json
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.small.build.replayed_words import write_replayed_words


def write(file: Path, sources: str) -> Path:
    lines = [json.dumps({"id": f"{file.stem}{index}", "source": name}) for index, name in enumerate(sources)]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def read(file: Path) -> list[str]:
    return [json.loads(line)["id"] for line in file.read_text().splitlines()]


def test_a_new_source_without_a_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is of own/missing$"):
        write_replayed_words([write(tmp_path / "a.jsonl", "xo")], tmp_path / "out", fresh={"x", "own/missing"}, share=1)
    assert not (tmp_path / "out").exists()


def test_new_sources_are_trained_on_whole_and_others_in_part(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.jsonl", "xoxooxo"), write(tmp_path / "b.jsonl", "oooo")]
    out = write_replayed_words(files, tmp_path / "out.jsonl", fresh={"x"}, share=0.5)
    assert read(out) == ["a0", "a1", "a2", "a3", "a5", "b0", "b1"]
    assert read(write_replayed_words(files, out, fresh=(), share=0)) == []
    assert read(write_replayed_words(files, out, fresh={"x", "o"}, share=0)) == read(files[0]) + read(files[1])
