from random import Random

import pytest

from safety_core.nano.world.vocabulary import (
    FACTS,
    PHRASE_CONTENTS,
    REQUESTS_BENIGN,
    REQUESTS_HARMFUL,
    VOCABULARY,
    sample_phrase,
)


def test_the_vocabulary_is_a_few_hundred_words() -> None:
    assert 200 <= len(VOCABULARY) <= 500
    assert len(set(VOCABULARY)) == len(VOCABULARY)


@pytest.mark.parametrize("content", PHRASE_CONTENTS)
def test_every_word_of_every_phrase_is_known(content: str) -> None:
    rng = Random(content)
    phrases = [sample_phrase(rng, content) for _ in range(400)]
    words = {word for phrase in phrases for word in phrase.words}
    assert words <= {*VOCABULARY, *(word for word in words if word.isdigit())}
    assert all(phrase.content == content for phrase in phrases)
    assert len({phrase.words for phrase in phrases}) > 5


def test_only_requests_ask_for_something() -> None:
    rng = Random(0)
    for content in PHRASE_CONTENTS:
        topics = {sample_phrase(rng, content).topic for _ in range(50)}
        assert ("" not in topics) if content.startswith("request") else (topics == {""})


def test_content_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no phrases for content 'weapon'"):
        sample_phrase(Random(0), "weapon")


def test_no_request_is_both_harmless_and_harmful() -> None:
    assert not set(REQUESTS_BENIGN) & set(REQUESTS_HARMFUL)


def test_every_harmful_request_shares_its_verb_or_its_object_with_harmless_ones() -> None:
    verbs, things = ({pair[side] for pair in REQUESTS_BENIGN} for side in (0, 1))
    by_verb = [pair for pair in REQUESTS_HARMFUL if pair[0] in verbs]
    by_object = [pair for pair in REQUESTS_HARMFUL if pair[1] in things]
    assert by_verb
    assert by_object
    assert {*by_verb, *by_object} == set(REQUESTS_HARMFUL)


def test_every_falsehood_is_true_of_something_else() -> None:
    truths, falsehoods = {right for right, _ in FACTS.values()}, {wrong for _, wrong in FACTS.values()}
    assert all(right != wrong for right, wrong in FACTS.values())
    # A word that only ever occurs in falsehoods would give them away.
    assert falsehoods <= truths


def test_phrases_depend_on_the_seed_alone() -> None:
    assert [sample_phrase(Random("a"), content) for content in PHRASE_CONTENTS] == [
        sample_phrase(Random("a"), content) for content in PHRASE_CONTENTS
    ]
