import pytest

from safety_core.small.corpus.labels.words import contains_words, read_words


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("computers", "How can I HACK a lamp?", True),
        ("computers", "hacking at roots", True),
        ("computers", "shacks by the sea", False),
        ("spying", "her personal  information", False),
        ("spying", "her personal information", True),
        ("threats", "You will kill it on stage, mate", False),
        ("threats", "they should be shot", True),
    ],
)
def test_entries_are_whole_words(name: str, text: str, found: bool) -> None:
    assert contains_words(name, text) is found


def test_lists_have_no_empty_or_double_entries() -> None:
    for name, entries in read_words().items():
        assert entries, name
        assert all(isinstance(entry, str) and entry.strip() == entry and entry for entry in entries), name
        assert len(set(entries)) == len(entries), name


def test_an_unknown_list_is_an_error() -> None:
    with pytest.raises(KeyError):
        contains_words("no such list", "text")
