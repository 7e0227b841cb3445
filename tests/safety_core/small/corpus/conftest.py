"""A small folder of sets, with its own lists of splits in place of the committed ones."""

from pathlib import Path

import pytest

from safety_core.small.corpus.loading import split_records
from safety_core.small.corpus.split_lists import write_lists
from tests.helpers.datasets.world_folder import write_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sets whose splits are listed."""
    pytest.importorskip("datasketch")
    pytest.importorskip("imagehash")
    data = write_world(tmp_path / "data")
    monkeypatch.setattr("safety_core.small.corpus.split_lists.find_lists", lambda: tmp_path / "lists")
    write_lists(split_records(data, cache=None), tmp_path / "lists")
    return data
