import re

import pytest

from safety_core.small.corpus.labels.photographs import PHOTO_RULES
from safety_core.small.corpus.labels.tables import TEXT_RULES
from safety_core.small.corpus.sources import FREE_TERMS, PHOTO_SOURCES, SOURCES, TEXT_SOURCES, Source, list_sources


@pytest.mark.parametrize("source", SOURCES.values(), ids=str)
def test_every_set_can_be_found_and_has_a_licence(source: Source) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", source.repository)
    assert re.fullmatch(r"[0-9a-f]{40}", source.commit)
    assert source.path
    assert source.licence
    assert source.uses


@pytest.mark.parametrize("source", SOURCES.values(), ids=str)
def test_a_set_without_free_terms_has_a_reason(source: Source) -> None:
    assert source.terms in FREE_TERMS or source.reason
    assert source.trained or source.reason


def test_nothing_is_trained_on_share_alike_texts() -> None:
    share_alike = [SOURCES[name] for name in list_sources(("share-alike",))]
    assert {source.name for source in share_alike} == {"political_neutral", "benign_dolly"}
    assert not any(source.trained for source in share_alike)
    assert not any(source.terms not in FREE_TERMS and source.trained for source in TEXT_SOURCES)


def test_sets_are_chosen_by_their_terms() -> None:
    free = list_sources(FREE_TERMS)
    assert "catqa" in free
    assert "hatecheck" in free
    assert not {"imagenet", "coco", "flickr8k", "guns"} & set(free)


def test_every_set_has_rules() -> None:
    assert list(TEXT_RULES) == [source.name for source in TEXT_SOURCES]
    assert list(PHOTO_RULES) == [source.name for source in PHOTO_SOURCES]
