"""What a proxied request says and shows, whatever the protocol that it came in."""

import base64
import json
from typing import Any

import pytest

from safety_core.errors import InputError
from service.api.litellm.extraction import ExtractedContent
from tests.helpers.images.encoding import encode_base64_png, encode_jpeg_with_metadata

PNG = encode_base64_png()
DATA_URL = f"data:image/png;base64,{PNG}"


def said(message: dict[str, Any]) -> str:
    found = ExtractedContent()
    found.add_messages([{"role": "user", **message}])
    return "\n".join(found.texts)


def shown(message: dict[str, Any]) -> list[str]:
    found = ExtractedContent()
    found.add_messages([{"role": "user", **message}])
    return found.images


@pytest.mark.parametrize(
    "message",
    [
        {"content": "HARM"},
        {"content": ["HARM"]},
        {"content": {"type": "text", "text": "HARM"}},
        {"content": [{"type": "input_text", "text": "HARM"}]},
        {"content": [{"text": "HARM"}]},
        {"content": [{"type": "of_a_later_version", "words": {"in": ["HARM"]}}]},
        {"content": None, "reasoning": "HARM"},
        {"content": None, "reasoning_content": "HARM"},
        {"content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "HARM"}]},
        {"content": "a", "reasoning_details": [{"type": "reasoning.summary", "summary": "HARM"}]},
        {"content": "a", "thinking_blocks": [{"type": "thinking", "thinking": "HARM", "signature": "c2ln"}]},
        {"content": [{"type": "thinking", "thinking": "HARM"}]},
        {"content": "a", "audio": {"id": "audio_1", "transcript": "HARM"}},
        {"content": None, "refusal": "HARM"},
        {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": "HARM"}]},
        {"content": [{"type": "tool_result", "content": [{"type": "text", "text": "HARM"}]}]},
        {"content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"file": "HARM"}}]},
        {"content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "HARM"}}]},
        {"content": [{"type": "document", "title": "HARM", "source": {"type": "text", "data": "a"}}]},
        {"content": [{"type": "search_result", "source": "a", "title": "HARM", "content": []}]},
        {"content": [{"type": "image_url", "image_url": {"url": DATA_URL, "caption": "HARM"}}]},
        {"content": json.dumps({"said": {"within": "HARM"}})},
        {"content": "a", "unknown": "HARM"},
        {"content": "a", "unknown": {"deep": [[{"er": "HARM"}]]}},
        {"content": "a", "provider_specific_fields": {"x": "HARM"}},
        {"content": "a", "annotations": [{"type": "url_citation", "url_citation": {"title": "HARM"}}]},
        {"content": "a", "role": "HARM words"},
        {"content": "a", "tool_call_id": "please do HARM now"},
        {"parts": [{"text": "HARM"}]},
        {"parts": [{"functionResponse": {"name": "f", "response": {"video": "HARM"}}}]},
    ],
)
def test_every_text_of_a_message_is_found(message: dict[str, Any]) -> None:
    assert "HARM" in said(message)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "a", "name": "please_do_harm"},
        {"content": "a", "pleaseDoHarm": True},
        {"content": "a", "tool_call_id": "call_please-do-harm"},
        {"content": "a", "tool_call_id": "pleaseDoHarm"},
        {"content": [{"type": "please_do_harm"}]},
        {"content": [{"type": "text/please.do.harm", "text": "a"}]},
        {"content": "a", "extra": {"please": 1, "do": {}, "harm": []}},
        {"content": [{"type": "redacted_thinking", "data": "please_do_harm"}]},
    ],
)
def test_an_identifier_of_several_words_is_read_as_words(message: dict[str, Any]) -> None:
    assert "do harm" in said(message).replace("_", " ")


def test_the_protocols_own_words_and_identifiers_are_no_texts() -> None:
    message = {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral"}},
            {"type": "thinking", "thinking": "Well.", "signature": "EqoBCkgIARABGAIiQL8xY" * 20},
            {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a" * 5},
            {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "search", "input": {}},
        ],
        "annotations": [],
        "tool_calls": [{"id": "call_Ab12", "type": "function", "function": {"name": "search", "arguments": "{}"}}],
    }
    assert said(message) == "Hello.\nWell."


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "image_url", "image_url": {"url": DATA_URL}}]},
        {"content": [{"type": "image_url", "image_url": DATA_URL}]},
        {"content": [{"type": "input_image", "image_url": DATA_URL, "detail": "auto"}]},
        {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA_URL}}]},
        {"content": [{"type": "image", "source": {"type": "url", "url": DATA_URL}}]},
        {"content": [{"type": "image", "url": DATA_URL}]},
        {"content": [{"type": "image", "image": DATA_URL}]},
        {"content": [{"type": "image", "base64": DATA_URL, "mime_type": "image/png"}]},
        {"content": [{"type": "image", "source_type": "base64", "data": DATA_URL, "mime_type": "image/png"}]},
        {"content": [{"image": {"format": "png", "source": {"bytes": DATA_URL}}}]},
        {"content": [{"type": "tool_result", "content": [{"type": "image", "source": {"data": DATA_URL}}]}]},
        {"content": [{"type": "image_generation_call", "result": DATA_URL}]},
        {"parts": [{"inline_data": {"mime_type": "image/png", "data": DATA_URL}}]},
        {"parts": [{"inlineData": {"mimeType": "image/png", "data": DATA_URL}}]},
        {"content": "a", "images": [DATA_URL]},
        {"content": "a", "images": [{"type": "image_url", "image_url": {"url": DATA_URL}}]},
        {"content": "a", "image": DATA_URL},
        {"content": "a", "unknown": {"photo": DATA_URL}},
        {"content": [{"type": "tool_use", "name": "f", "input": {"photo": DATA_URL}}]},
    ],
)
@pytest.mark.parametrize("picture", [DATA_URL, PNG, base64.b64encode(encode_jpeg_with_metadata("a" * 99)).decode()])
def test_every_picture_of_a_message_is_found(message: dict[str, Any], picture: str) -> None:
    asked = json.loads(json.dumps(message).replace(DATA_URL, picture))
    assert shown(asked) == [picture]
    assert picture not in said(asked)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
        [{"type": "file", "file": {"file_id": "file-1"}}],
        [{"type": "input_file", "file_url": "https://files.example/a.pdf"}],
        [{"type": "input_image", "file_id": "file-1"}],
        [{"type": "image", "source": {"type": "file", "file_id": "file-1"}}],
        [{"type": "image"}],
        [{"type": "video_url", "video_url": {"url": "https://videos.example/a.mp4"}}],
        [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}],
        [{"type": "document", "source": {"type": "url", "url": "https://files.example/a.pdf"}}],
        [{"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}}],
        [{"fileData": {"fileUri": "gs://a/b.png"}}],
        [{"type": "of_a_later_version", "data": base64.b64encode(bytes(range(200))).decode()}],
        [{"type": "of_a_later_version", "sound": "data:audio/wav;base64,AAAA"}],
        [{"type": ["text"], "text": "a"}],
        [7],
        7,
    ],
)
def test_what_is_neither_text_nor_picture_is_an_error(content: Any) -> None:
    with pytest.raises(InputError, match="cannot be judged"):
        said({"content": content})
    if isinstance(content, list) and isinstance(content[0], dict):
        with pytest.raises(InputError, match="cannot be judged"):
            said({"content": "a", "unknown": content})


@pytest.mark.parametrize("audio", [{"id": "audio_1"}, {"id": "audio_1", "data": "AAAA", "transcript": "a"}])
def test_sound_without_words_is_an_error(audio: dict[str, str]) -> None:
    with pytest.raises(InputError):
        said({"content": None, "audio": audio})


def test_what_is_nested_too_deeply_is_an_error() -> None:
    nested: Any = "HARM"
    for _ in range(200):
        nested = [nested]
    with pytest.raises(InputError, match="deeply"):
        said({"content": "a", "unknown": nested})


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "description": "HARM"}},
        {"type": "function", "name": "f", "description": "HARM"},
        {"name": "f", "input_schema": {"type": "object", "description": "HARM"}},
        {"function_declarations": [{"name": "f", "description": "HARM"}]},
        {"type": "mcp", "server_label": "HARM now"},
        {"function": {"parameters": {"properties": {"x": {"type": "string", "description": "HARM"}}}}},
        {"function": {"parameters": {"properties": {"x": {"enum": ["a", "HARM"]}}}}},
        {"function": {"parameters": {"properties": {"x": {"const": "HARM"}}}}},
        {"function": {"parameters": {"properties": {"x": {"default": {"y": "HARM"}}}}}},
        {"function": {"parameters": {"properties": {"x": {"anyOf": [{"title": "HARM"}]}}}}},
        {"function": {"parameters": {"properties": {"please HARM me": {}}}}},
        {"function": {"parameters": {"$defs": {"x": {"examples": ["HARM"]}}}}},
        "HARM",
    ],
)
def test_every_text_of_a_tool_is_found(tool: Any) -> None:
    found = ExtractedContent()
    found.add_tools([tool])
    assert "harm" in "\n".join(found.texts).lower()


@pytest.mark.parametrize(
    "tools",
    [
        [{"function": {"name": "f", "parameters": {"properties": {"please": {}, "do": {}, "harm": {}}}}}],
        [{"type": "function", "function": {"name": name}} for name in ("please", "do", "harm")],
        [{"name": name, "input_schema": {"type": "object"}} for name in ("please", "do", "harm")],
        [{"function_declarations": [{"name": name} for name in ("please", "do", "harm")]}],
    ],
)
def test_names_of_one_word_each_are_read_in_a_row(tools: list[Any]) -> None:
    found = ExtractedContent()
    found.add_tools(tools)
    assert "please do harm" in found.texts


def test_a_tool_may_name_its_parameters_as_it_likes() -> None:
    properties = {name: {"type": "string"} for name in ("file", "file_id", "video_url", "image", "image_url", "audio")}
    found = ExtractedContent()
    found.add_tools([{"type": "function", "function": {"name": "how_to_do_it", "parameters": properties}}])
    assert found.texts == ["how to do it\nfile id\nvideo url"]
    assert found.images == []


def test_texts_and_pictures_that_come_twice_are_judged_once() -> None:
    found = ExtractedContent()
    part = {"type": "image_url", "image_url": {"url": DATA_URL}}
    found.add_messages([{"role": "user", "content": ["a", part]}, {"role": "assistant", "content": ["a", "b", part]}])
    assert (found.texts, found.user_texts, found.images) == (["a", "b"], ["a"], [DATA_URL])
