import base64
from pathlib import Path

import pytest

from safety_core.evaluation.benchmarks.endpoints.client import MALFORMED, Response
from safety_core.evaluation.benchmarks.endpoints.messages import build_messages, build_parts, read_chat_reply
from safety_core.inputs.conversation import Turn
from tests.helpers.benchmarks.ability_sets import encode_picture
from tests.helpers.benchmarks.items import make_item, make_picture
from tests.helpers.benchmarks.servers import make_completion

URL = f"data:image/png;base64,{base64.b64encode(encode_picture()).decode()}"


def test_words_alone_are_a_string_and_pictures_come_before_their_words(tmp_path: Path) -> None:
    assert build_messages(make_item(text="Hello")) == [{"role": "user", "content": "Hello"}]
    (message,) = build_messages(make_item(text="What?", picture=make_picture(tmp_path)))
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "text", "text": "What?"},
    ]
    (alone,) = build_messages(make_item(text=None, picture=make_picture(tmp_path)))
    assert [part["type"] for part in alone["content"]] == ["image_url"]


def test_conversations_keep_their_roles(tmp_path: Path) -> None:
    turns = (
        Turn(role="user", text="a", images=1),
        Turn(role="assistant", text="b"),
        Turn(role="user", text="c"),
    )
    item = make_item(picture=make_picture(tmp_path), turns=turns)
    assert [message["role"] for message in build_messages(item)] == ["user", "assistant", "user"]
    assert build_messages(item)[2]["content"] == "c"
    assert [part.get("text") for part in build_parts(item)] == ["a", "c", None]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (make_completion("Yes."), "Yes."),
        (make_completion(None, refusal="No."), "No."),
        (make_completion(None), ""),
    ],
)
def test_what_a_user_reads_is_the_reply(body: dict[str, object], text: str) -> None:
    reply = read_chat_reply(Response(data=body, seconds=2))
    assert (reply.text, reply.seconds, reply.tokens, reply.problem) == (text, 2, 10, None)


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"message": {"content": 5}}]}, None])
def test_other_bodies_are_problems(body: object) -> None:
    assert read_chat_reply(Response(data=body)).problem == MALFORMED
