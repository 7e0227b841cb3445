"""Conversations of the page become the turns and images that the engine judges, or an error that quotes nothing."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.engine.judging.image_questions import DEFAULT_QUESTION
from service.ingress.image_fetcher import ImageFetcher
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png
from tests.helpers.requests.judging_requests import (
    COMPLETIONS,
    PAGE,
    PAGE_CHAT,
    PLAYGROUND,
    build_body,
    build_form,
    read_error,
    send_question,
)
from tests.helpers.server.applications import open_client, open_local_client

RED, GREEN, BLUE = (encode_png((8, 8), colour) for colour in ("red", "green", "blue"))


def send(client: TestClient, messages: Any, *pictures: bytes, route: str = PLAYGROUND, **fields: str) -> Any:
    """Send messages with pictures to a route of the page."""
    files: Any = [
        ("conversation", (None, json.dumps({"messages": messages}))),
        *(("image", ("picture", picture)) for picture in pictures),
        *((name, (None, value)) for name, value in fields.items()),
    ]
    return client.post(route, files=files)


def describe(fake: FakeGuard) -> list[tuple[str, str, int]]:
    """Role, text and number of images of each turn of the newest request."""
    return [(turn.role, turn.text, turn.images) for turn in fake.requests[-1].turns]


# --- turns and images ------------------------------------------------------------------------------------------------


def test_each_picture_belongs_to_its_message(client: TestClient, fake: FakeGuard) -> None:
    messages = [
        {"role": "user", "content": "Look.", "images": [2, 0]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And this?", "images": [1]},
    ]
    reply = send(client, messages, RED, GREEN, BLUE)
    assert reply.status_code == 200
    assert describe(fake) == [("user", "Look.", 2), ("assistant", "Yes.", 0), ("user", "And this?", 1)]
    decoded = [image.views[0].getpixel((4, 4)) for image in fake.requests[-1].images]
    assert decoded == [(0, 0, 255), (255, 0, 0), (0, 128, 0)]


def test_it_is_judged_like_the_same_messages_on_the_openai_compatible_path(client: TestClient, fake: FakeGuard) -> None:
    earlier = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Yes?"}]
    assert send_question(client, PAGE_CHAT, "What is it?", RED, earlier=earlier).status_code == 200
    messages = [*earlier, *build_body(COMPLETIONS, "What is it?", RED)["messages"]]
    assert client.post(COMPLETIONS, json={"model": "fake", "messages": messages}).status_code == 200
    assert len(fake.requests) == 1, "the second one was known already"
    assert [(message.role, message.texts, message.images) for message in fake.requests[0].messages] == [
        ("user", ("Hello",), 0),
        ("assistant", ("Yes?",), 0),
        ("user", ("What is it?",), 1),
    ]


def test_a_picture_without_words_gets_the_default_question(client: TestClient, fake: FakeGuard) -> None:
    assert send(client, [{"role": "user", "images": [0]}], RED).status_code == 200
    assert describe(fake) == [("user", DEFAULT_QUESTION, 1)]


def test_a_reply_without_words_is_skipped(client: TestClient, fake: FakeGuard) -> None:
    """The page has none where the guard refused, or where the reply failed."""
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "b"},
    ]
    assert send(client, messages).status_code == 200
    assert describe(fake) == [("user", "a\nb", 0)]


def test_options_are_those_of_the_chat_endpoint(client: TestClient, fake: FakeGuard) -> None:
    options = {"max_tokens": "3", "temperature": "0.5", "seed": "7", "explain": "true", "language": "de"}
    assert send(client, [{"role": "user", "content": "a"}], route=PAGE_CHAT, **options).status_code == 200
    (request,) = fake.requests
    assert request.heatmap
    for name, value in {"max_tokens": 3, "temperature": 0.5, "seed": 7}.items():
        assert getattr(request, name) == value


def test_urls_come_after_files(fake: FakeGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(self: ImageFetcher, url: str) -> bytes:
        return {"green": GREEN, "blue": BLUE}[url.rsplit("/", 1)[1]]

    monkeypatch.setattr(ImageFetcher, "fetch", fetch)
    urls = [f"https://pictures.example/{name}" for name in ("green", "blue")]
    with open_client(fake, image_url_hosts="pictures.example") as client:
        assert client.post(PAGE_CHAT, files=build_form("What is it?", RED, urls=urls)).status_code == 200
    decoded = [image.views[0].getpixel((4, 4)) for image in fake.requests[-1].images]
    assert decoded == [(255, 0, 0), (0, 128, 0), (0, 0, 255)]


# --- errors ----------------------------------------------------------------------------------------------------------

USER = {"role": "user", "content": "canary"}


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], (422, "invalid_field")),
        ("canary", (422, "invalid_field")),
        ([{"role": "system", "content": "canary"}], (422, "invalid_field")),
        ([{"role": "user", "content": 7}], (422, "invalid_field")),
        ([{"role": "user", "canary": 7}], (422, "unknown_field")),
        ([{**USER, "images": [-1]}], (422, "invalid_field")),
        ([{**USER, "images": ["0"]}], (422, "invalid_field")),
        ([{**USER, "images": [1]}], (422, "invalid_field")),
        ([{**USER, "images": [0, 0]}], (422, "invalid_field")),
        ([USER], (422, "invalid_field")),
        ([USER, {"role": "assistant", "content": "canary", "images": [0]}, USER], (422, "invalid_field")),
        ([{**USER, "images": [0]}, {"role": "assistant", "content": "canary"}], (400, "turn_order")),
        ([{"role": "user", "content": " ", "images": [0]}, {"role": "user"}], (400, "prompt_empty")),
    ],
)
def test_a_conversation_that_is_none_is_an_error_without_an_echo(
    client: TestClient, messages: Any, error: tuple[int, str]
) -> None:
    response = send(client, messages, RED)
    assert read_error(response) == error
    assert "canary" not in response.text


@pytest.mark.parametrize("route", PAGE)
def test_other_bodies_are_not_read(fake: FakeGuard, route: str) -> None:
    same_origin = {"Sec-Fetch-Site": "same-origin"}
    fake.bare_pieces = ("a",)
    with open_local_client(fake, playground_compare=True) as client:
        sent = client.post(route, json={"conversation": {"messages": [USER]}}, headers=same_origin)
        assert read_error(sent) == (415, "content_type")
        for fields, error in (
            ({"prompt": "canary"}, (422, "invalid_field")),
            ({"conversation": '{"canary'}, (422, "invalid_field")),
            ({"conversation": json.dumps({"messages": [USER]}), "prompt": "canary"}, (422, "unknown_field")),
            ({"conversation": json.dumps({"messages": [USER]}), "canary": "canary"}, (422, "unknown_field")),
            ({"conversation": json.dumps({"messages": [USER]}), "image": "canary"}, (422, "invalid_field")),
            ({"conversation": "," * 500_000}, (413, "body_too_large")),
        ):
            files = [(name, (None, value)) for name, value in fields.items()]
            sent = client.post(route, files=files, headers=same_origin)
            assert read_error(sent) == error, fields.keys()
            assert "canary" not in sent.text
    assert fake.requests == []


def test_an_error_names_the_place_in_the_conversation(client: TestClient) -> None:
    error = send(client, [USER, {"role": "canary"}]).json()["error"]
    assert error["param"] == "conversation.messages.1.role"
    too_long = send(client, [{"role": "user", "content": "word " * 10_000}]).json()["error"]
    assert (too_long["code"], too_long["param"]) == ("prompt_too_long", "conversation")


def test_pictures_are_counted_with_their_urls(fake: FakeGuard) -> None:
    with open_client(fake, max_images=2, image_url_hosts="pictures.example") as client:
        for files, urls in ((3, 0), (2, 1), (0, 3)):
            shown = [encode_png((8, 8 + number)) for number in range(files)]
            form = build_form("a", *shown, urls=[f"https://pictures.example/{number}" for number in range(urls)])
            assert read_error(client.post(PAGE_CHAT, files=form)) == (400, "too_many_images")
    assert fake.requests == []


def test_urls_are_refused_where_nothing_is_fetched(client: TestClient) -> None:
    form = build_form("a", urls=["https://pictures.example/canary"])
    response = client.post(PAGE_CHAT, files=form)
    assert read_error(response) == (400, "image_url")
    assert "canary" not in response.text


def test_a_policy_of_somebody_else_cannot_be_chosen(client: TestClient) -> None:
    assert read_error(send(client, [USER], policy="other")) == (403, "policy_not_allowed")
