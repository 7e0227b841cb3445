import json
import re
from collections import Counter, defaultdict
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.contrast_texts import CONTRAST_FILE, PLAIN, ContrastText, read_contrast_texts
from safety_core.taxonomy import DEFAULT_TAXONOMY

README = CONTRAST_FILE.with_name("README.md")

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


@pytest.fixture(scope="module")
def texts() -> tuple[ContrastText, ...]:
    """The set as it ships."""
    return read_contrast_texts()


def split_words(text: str) -> tuple[str, ...]:
    """Words of a text without case and punctuation."""
    return tuple(re.findall(r"\w+", text.lower()))


def list_shingles(text: str) -> frozenset[tuple[str, ...]]:
    """All runs of three words of a text; a shorter text is one run."""
    words = split_words(text)
    return frozenset(words[start : start + 3] for start in range(max(1, len(words) - 2)))


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


def test_labels_lie_within_the_taxonomy_and_harmless_texts_alone_are_safe(texts: tuple[ContrastText, ...]) -> None:
    assert {text.type for text in texts} == set(DEFAULT_TAXONOMY.types)
    assert {text.level for text in texts} == set(range(len(DEFAULT_TAXONOMY.levels)))
    assert [text.text for text in texts if (text.type == DEFAULT_TAXONOMY.safe_type) != (text.level == 0)] == []


def test_texts_are_written_as_people_write_them(texts: tuple[ContrastText, ...]) -> None:
    assert [text.text for text in texts if text.text != text.text.strip() or not text.text.isprintable()] == [
        text.text for text in texts if "\n" in text.text
    ]
    assert all(3 <= len(split_words(text.text)) <= 110 for text in texts)


def test_there_are_enough_texts_of_every_phenomenon(texts: tuple[ContrastText, ...]) -> None:
    assert sum(text.is_look_alike for text in texts) >= 400
    harmless = Counter(text.phenomenon for text in texts if text.level == 0)
    harmful = Counter(text.phenomenon for text in texts if text.level > 0)
    assert harmless.keys() == harmful.keys()
    assert (harmless.pop(PLAIN), harmful.pop(PLAIN)) == (60, 60)
    assert len(harmless) == 20
    assert min(harmless.values()) >= 24
    assert min(harmful.values()) >= 14


def test_no_phenomenon_crosses_the_splits(texts: tuple[ContrastText, ...]) -> None:
    splits = defaultdict(set)
    for text in texts:
        splits[text.phenomenon].add(text.split)
    assert {phenomenon: found for phenomenon, found in splits.items() if len(found) > 1} == {}
    assert Counter(split for (split,) in splits.values()) == {"test": 11, "development": 10}


def test_each_split_has_every_type_of_harm(texts: tuple[ContrastText, ...]) -> None:
    for split in ("test", "development"):
        assert {text.type for text in texts if text.split == split} == set(DEFAULT_TAXONOMY.types)


def test_no_text_occurs_twice_or_nearly(texts: tuple[ContrastText, ...]) -> None:
    words = Counter(split_words(text.text) for text in texts)
    assert [" ".join(key) for key, count in words.items() if count > 1] == []
    holders = defaultdict(list)
    shingles = [list_shingles(text.text) for text in texts]
    for index, found in enumerate(shingles):
        for shingle in found:
            holders[shingle].append(index)
    shared = Counter(pair for indices in holders.values() for pair in combinations(indices, 2))
    near = {pair: count / len(shingles[pair[0]] | shingles[pair[1]]) for pair, count in shared.items()}
    assert [(texts[a].text, texts[b].text) for (a, b), overlap in near.items() if overlap > 0.6] == []


def test_the_set_is_frozen() -> None:
    (recorded,) = re.findall(r"sha256 of the file: `([0-9a-f]{64})`", README.read_text(encoding="utf-8"))
    assert sha256(CONTRAST_FILE.read_bytes()).hexdigest() == recorded, "a changed set invalidates published figures"


def test_the_readme_counts_what_is_there(texts: tuple[ContrastText, ...]) -> None:
    readme = README.read_text(encoding="utf-8")
    table = re.findall(r"^\| ([a-z-]+) \| .+ \| (test|development) \| (\d+) \| (\d+) \|$", readme, re.MULTILINE)
    assert {(name, split): (int(harmless), int(harmful)) for name, split, harmless, harmful in table} == {
        (phenomenon, split): (
            sum(text.phenomenon == phenomenon and text.level == 0 for text in texts),
            sum(text.phenomenon == phenomenon and text.level > 0 for text in texts),
        )
        for phenomenon, split in {(text.phenomenon, text.split) for text in texts}
    }
    assert readme.count(f"\n{len(texts)} texts that measure") == 1
