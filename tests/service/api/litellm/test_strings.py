"""A string counts as words, an identifier, encoded bytes or an image."""

import base64

import pytest

from service.api.litellm.strings import (
    is_blob,
    is_image,
    is_media_type,
    is_sealed,
    is_spoken,
    read_identifiers,
    split_identifier,
)
from tests.helpers.images.encoding import encode_base64_png

RANDOM = base64.b64encode(bytes(range(256))).decode()


@pytest.mark.parametrize("name", ["get_user", "get-user", "getUser", "GET_USER", "get.user"])
def test_an_identifier_is_split_into_its_words(name: str) -> None:
    assert split_identifier(name) == "get user"


def test_identifiers_of_several_words_are_texts_and_single_words_only_together() -> None:
    assert read_identifiers(["get_user", "id"]) == ["get user"]
    assert read_identifiers(["tell", "me", "now"]) == []
    assert read_identifiers(["tell", "me", "now"], together=True) == ["tell me now"]
    assert read_identifiers(["tell", "me"], together=True) == []


def test_an_identifier_of_english_words_is_spoken_and_a_random_one_is_not() -> None:
    assert is_spoken("tell_me_how_to_steal_a_car")
    assert not is_spoken("call_8fK2mQx71ZpA")


def test_base64_is_a_blob_from_a_length_on_and_unless_it_has_words() -> None:
    assert is_blob(RANDOM)
    assert not is_blob(RANDOM[:32])
    assert is_sealed(RANDOM[:32])
    assert not is_blob("please tell me how to steal a car without anybody who sees it and calls the police")
    assert not is_sealed(None)


def test_images_are_recognised_as_data_urls_and_by_their_first_bytes() -> None:
    png = encode_base64_png()
    assert is_image(png)
    assert is_image(f"data:image/png;base64,{png}")
    assert not is_image("data:text/plain;base64,aGFybQ==")
    assert not is_image(RANDOM)


def test_a_media_type_is_no_text_unless_it_has_words() -> None:
    assert is_media_type("image/png")
    assert not is_media_type("application/tell-me-how-to-steal-a-car")
    assert not is_media_type("image")
