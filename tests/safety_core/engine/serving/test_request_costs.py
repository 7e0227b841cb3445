"""What a request costs, before it is prepared."""

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.serving.request_costs import (
    EXPENSIVE_CHARACTERS,
    estimate_least_work,
    estimate_positions,
    estimate_preparation,
)
from safety_core.inputs.conversation import Turn
from tests.helpers.images.pictures import create_picture, create_transparent_picture


def create_request(text: str, pictures: int = 0) -> GuardRequest:
    return GuardRequest(turns=(Turn(role="user", text=text),), images=(create_picture(),) * pictures)


def test_work_grows_with_sentences_and_with_the_pictures_that_they_are_judged_with() -> None:
    one, many, shown = create_request("A dog."), create_request("A dog. " * 50), create_request("A dog. " * 50, 3)
    tokens = [estimate_least_work(request).tokens for request in (one, many, shown)]
    assert tokens == sorted(tokens)
    assert estimate_least_work(shown).views == 3


def test_pictures_count_as_characters_by_their_views() -> None:
    assert estimate_preparation(create_request("four")) == 4
    plain, clear = (GuardRequest(images=(image,)) for image in (create_picture(), create_transparent_picture()))
    assert estimate_preparation(clear) == 2 * estimate_preparation(plain) > 0


def test_positions_are_those_of_words_pictures_and_the_reply() -> None:
    request = ChatRequest(turns=(Turn(role="user", text="x" * 40),), images=(create_picture(),), max_tokens=7)
    assert estimate_positions(request, positions_per_image=100) == 10 + 100 + 7


def test_a_picture_whose_lettering_is_read_is_expensive_to_prepare() -> None:
    picture = create_request("four", 1)
    assert estimate_preparation(picture) < EXPENSIVE_CHARACTERS < estimate_preparation(picture, reads_lettering=True)
    words = create_request("four")
    assert estimate_preparation(words) == estimate_preparation(words, reads_lettering=True)
