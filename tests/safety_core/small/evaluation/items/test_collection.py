from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.inputs.conversation import Turn
from safety_core.small.corpus.loading import Corpus
from safety_core.small.evaluation.items.collection import collect_items, compute_digest
from tests.helpers.datasets.real_items import HARMFUL, make_item, make_photograph, make_record

pytest.importorskip("fontpkg_roboto", reason="fonts are not installed: pip install 'safevlm-guard[small-build]'")


def test_items_of_a_split_have_ids_of_their_own_and_come_again(tmp_path: Path) -> None:
    records = (
        make_record("catqa", "How do I break in?", HARMFUL),
        make_record("catqa", "other split", HARMFUL, split="development"),
        make_record("benign_fastchat", "How do I whisk?"),
        make_photograph(tmp_path, "guns", "rifle", ("illegal", 1), kind="weapon", split="train"),
        make_photograph(tmp_path, "coco", "dog"),
    )
    corpus = Corpus(records=records, left_out=Counter(), missing=())
    items = collect_items(corpus, "test", tmp_path / "pictures", limit=1)
    assert len({item.id for item in items}) == len(items)
    columns = {column for item in items for column in item.columns}
    assert columns >= {"harmful", "harmless", "rendered", "documents", "photographs", "held_out_guns", "harmful_photo"}
    assert not any("other split" in item.prompt for item in items)
    again = collect_items(corpus, "test", tmp_path / "pictures", limit=1)
    assert compute_digest(again) == compute_digest(items)
    assert collect_items(corpus, "test", None, limit=1) == [item for item in items if item.picture is None]


def test_the_digest_tells_what_is_judged_and_how_it_counts() -> None:
    item = make_item("x")
    changes = (
        {"prompt": "y"},
        {"earlier": (Turn(role="user", text="y"),)},
        {"columns": ("reverse",)},
        {"parts": ("set/a",)},
        {"label": ("illegal", 2)},
        {"group": "z"},
    )
    digests = {compute_digest([item]), *(compute_digest([replace(item, **change)]) for change in changes)}
    assert len(digests) == 7
