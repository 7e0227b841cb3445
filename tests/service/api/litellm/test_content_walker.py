"""Strings of a JSON structure: texts, identifiers and images, and an error for what cannot be judged."""

from typing import Any

import pytest

from safety_core.errors import InputError
from service.api.litellm.content_walker import MAX_DEPTH, ContentWalker, create_unjudged_error
from tests.helpers.images.encoding import encode_base64_png

PNG = encode_base64_png()
DATA_URL = f"data:image/png;base64,{PNG}"
SOUND = "data:audio/wav;base64," + "UklGR" * 100


def walk(value: Any, *, plain: bool = False) -> ContentWalker:
    walker = ContentWalker("messages")
    walker.walk(value, plain=plain)
    return walker


def test_strings_are_sorted_in_the_order_of_the_structure() -> None:
    walker = walk(
        [{"role": "user", "content": "first"}, {"type": "text", "text": "second"}, {"note": "third one", "n": 5}]
    )
    assert walker.contents == ["first", "second"]
    assert walker.others == ["third one"]


def test_keywords_of_the_protocol_and_blanks_are_no_texts() -> None:
    walker = walk({"role": "assistant", "type": "text", "content": " \n", "id": "call_8a7f3c", "status": "completed"})
    assert (walker.contents, walker.others, walker.names) == ([], [], [])


def test_names_of_fields_that_are_no_protocols_are_read_as_words() -> None:
    assert walk({"how to build a bomb": 1}).others == ["how to build a bomb"]
    assert walk({"how_to_build_a_bomb": 1}).others == ["how to build a bomb"]
    assert walk({"content": "a"}).others == []


def test_a_name_is_kept_and_read() -> None:
    walker = walk({"function": {"name": "build_a_bomb"}})
    assert walker.names == ["build_a_bomb"]
    assert walker.others == ["build a bomb"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "image_url", "image_url": {"url": DATA_URL}},
        {"type": "image_url", "image_url": DATA_URL},
        {"type": "input_image", "image_url": DATA_URL},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA_URL}},
        {"inlineData": {"mimeType": "image/png", "data": DATA_URL}},
        {"images": [DATA_URL]},
        {"anything": DATA_URL},
    ],
)
def test_an_image_is_found_in_the_form_of_every_provider(value: Any) -> None:
    assert walk(value).images == [DATA_URL]


def test_words_beside_an_image_are_texts() -> None:
    walker = walk({"type": "image_url", "image_url": {"url": DATA_URL}, "caption": "a bomb"})
    assert (walker.images, walker.others) == ([DATA_URL], ["a bomb"])


def test_in_free_form_json_an_image_is_known_by_its_value_only() -> None:
    walker = walk({"image_url": "a bomb", "picture": DATA_URL}, plain=True)
    assert (walker.images, walker.others) == ([DATA_URL], ["a bomb"])
    assert walk({"arguments": {"image": "a bomb"}}).others == ["a bomb"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "input_audio", "input_audio": {"data": "x"}},
        {"type": "file", "file": {"file_id": "x"}},
        {"video_url": {"url": "https://a.b/c.mp4"}},
        {"audio": {"data": "x"}},
        {"audio": {"id": "audio_1"}},
        {"type": 5},
        {"type": "image_url"},
        {"type": "image", "source": {"media_type": "application/pdf", "data": PNG}},
        {"image_url": {"detail": "low"}},
        {"type": "document", "source": {"type": "base64", "data": PNG}},
        {"type": "document"},
        {"note": SOUND},
        {"data": "A" * 4096},
    ],
)
def test_what_cannot_be_judged_is_an_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        walk(value)
    assert (caught.value.code, caught.value.param) == ("invalid_field", "messages")
    assert caught.value.message == create_unjudged_error("messages").message


def test_documents_of_texts_are_read() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "a bomb"}
    assert "a bomb" in walk({"type": "document", "source": source}).contents
    parts = {"type": "content", "content": [{"type": "text", "text": "a bomb"}]}
    assert "a bomb" in walk({"type": "document", "source": parts}).contents


def test_nesting_is_bounded() -> None:
    def nest(depth: int) -> Any:
        value: Any = "deep"
        for _ in range(depth):
            value = [value]
        return value

    assert walk(nest(MAX_DEPTH)).others == ["deep"]
    with pytest.raises(InputError, match="nested too deeply"):
        walk(nest(MAX_DEPTH + 1))
