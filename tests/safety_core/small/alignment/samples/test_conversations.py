import random
from pathlib import Path

import pytest

from safety_core.small.alignment.naming.naming_rule import contains_name, is_named, read_yes_or_no
from safety_core.small.alignment.naming.things import Thing
from safety_core.small.alignment.samples.collages import arrange
from safety_core.small.alignment.samples.conversations import Exchange, Wording
from safety_core.small.alignment.samples.photos import Photo
from tests.helpers.datasets.photo_facts import make_photos


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return make_photos(tmp_path)


def list_exchanges(photo: Photo, method: str) -> list[Exchange]:
    found = [getattr(Wording(random.Random(seed)), method)(photo) for seed in range(40)]
    return [exchange for exchange in found if exchange is not None]


def test_names_are_named_in_several_forms(photos: list[Photo]) -> None:
    exchanges = list_exchanges(photos[0], "name")
    assert all(is_named(exchange.answer, photos[0].shown[0]) for exchange in exchanges)
    assert {"Otter.", "An otter."} & {exchange.answer for exchange in exchanges}
    assert any(len(exchange.answer.split()) > 3 for exchange in exchanges)
    assert list_exchanges(photos[-1], "name") == []


def test_a_kind_is_sometimes_named_as_well() -> None:
    photo = Photo.of(Thing(label="pointer", noun="pointer", kind="dog"))
    answers = [exchange.answer for exchange in list_exchanges(photo, "name")]
    assert 0 < sum("kind of dog" in answer for answer in answers) < len(answers) / 2


def test_yes_and_no_follow_what_is_shown(photos: list[Photo]) -> None:
    for photo in photos:
        assert all(read_yes_or_no(exchange.answer) is True for exchange in list_exchanges(photo, "affirm"))
        for exchange in list_exchanges(photo, "deny"):
            assert read_yes_or_no(exchange.answer) is False
            asked = [thing for thing in photo.absent if contains_name(exchange.question, thing.names)]
            assert asked


def test_counts_are_numbers_in_words(photos: list[Photo]) -> None:
    exchanges = list_exchanges(photos[-1], "count_things")
    assert all("two" in exchange.answer.lower() and "boys" in exchange.question for exchange in exchanges)
    assert list_exchanges(photos[0], "count_things") == []


def test_places_of_a_collage(photos: list[Photo]) -> None:
    collage = arrange(photos[:3], random.Random(1))
    for seed in range(20):
        word = Wording(random.Random(seed))
        for photo, where in collage.parts:
            assert photo.main is not None
            assert is_named(word.find_thing_at(photo.main, where).answer, photo.main)
            assert where in word.find_place_of(photo.main, where).answer.lower()
        described = word.describe_collage(collage)
        assert described is not None
        assert all(where in described.answer and is_named(described.answer, p.shown[0]) for p, where in collage.parts)
        assert "three" in word.count_photographs(collage).answer.lower()


def test_nobody_is_identified(photos: list[Photo]) -> None:
    for exchange in list_exchanges(photos[-1], "decline_identity"):
        assert any(word in exchange.answer for word in ("cannot", "do not", "not something"))
    assert list_exchanges(photos[0], "decline_identity") == []


def test_what_cannot_be_known_is_declined_and_the_picture_described(photos: list[Photo]) -> None:
    answers = [exchange.answer for exchange in list_exchanges(photos[0], "decline_facts")]
    assert all(any(word in answer for word in ("not", "cannot", "only see")) for answer in answers)
    assert any("an otter" in answer for answer in answers)


def test_no_field_stays_open_and_sentences_begin_with_capitals(photos: list[Photo]) -> None:
    methods = ("name", "describe", "affirm", "deny", "count_things", "decline_identity", "decline_facts")
    for photo in photos:
        for method in methods:
            for exchange in list_exchanges(photo, method):
                assert not set("{}") & set(exchange.question + exchange.answer)
                assert exchange.answer[0].isupper()
                assert exchange.answer.endswith(".")
