from pathlib import Path

import pytest

from safety_core.errors import InputError
from safety_core.small.corpus.reading.folder import read_corpus
from safety_core.small.corpus.sources import SOURCES
from tests.helpers.datasets.world_folder import PHOTOS, TEXTS, write_world


def test_missing_sets_are_reported(tmp_path: Path) -> None:
    corpus = read_corpus(write_world(tmp_path))
    photo_sets = {str(row["set"]) for row in PHOTOS}
    assert set(corpus.missing) == set(SOURCES) - set(TEXTS) - photo_sets
    assert {record.source for record in corpus.records} == set(TEXTS) | photo_sets


def test_a_set_whose_rows_are_all_left_out_is_not_missing(tmp_path: Path) -> None:
    rows = [{"text": "How do volcanoes sound?", "category": "Geology"}]
    corpus = read_corpus(write_world(tmp_path, {"harmfulqa": rows}, ()))
    assert [record.label for record in corpus.records] == [None]
    assert "harmfulqa" not in corpus.missing
    assert sum(corpus.left_out.values()) == 1


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_sets_is_an_error_that_says_where_to_read(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "data"
    if made:
        folder.mkdir()
    with pytest.raises(InputError, match=r"safevlm-small-data\.md"):
        read_corpus(folder)
