"""Unguarded replies of the nano: what its bare backbone says, beside a guard that is the same as without them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.model.checkpoint.backbone import load_backbone
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR
from service.settings import Settings
from tests.helpers.models.reference import generate_unmodified
from tests.helpers.paths import NANO_CHECKPOINT
from tests.helpers.requests.judging_requests import (
    LOOK,
    MAKE,
    PAGE_CHAT,
    SCENE,
    STEAL,
    UNGUARDED,
    WEAPON,
    WHAT,
    send_question,
)
from tests.helpers.server.applications import open_local_client
from tests.helpers.server.events import parse_events

QUESTIONS: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    (LOOK, (SCENE,)),
    (WHAT, (WEAPON,)),
    (MAKE, (WEAPON,)),
    (STEAL, ()),
    (WHAT, (SCENE, WEAPON)),
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return load_guard(NANO_CHECKPOINT, device="cpu", limits=Settings().guard_limits, compare=True)


@pytest.fixture
def client(guard: Guard) -> Iterator[TestClient]:
    with open_local_client(guard, playground_compare=True, default_max_tokens=24) as client:
        yield client


def read_unguarded(client: TestClient, text: str, *pictures: bytes, **fields: Any) -> str:
    response = send_question(client, UNGUARDED, text, *pictures, **fields)
    assert response.status_code == 200, response.text
    name, done = parse_events(response.text)[-1]
    assert name == "done", done
    content = done["content"]
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(("text", "pictures"), QUESTIONS)
def test_it_is_what_transformers_generates_with_the_backbones_own_files(
    guard: Guard, client: TestClient, text: str, pictures: tuple[bytes, ...]
) -> None:
    limits = guard.info.limit_images(ImageLimits())
    images = tuple(decode_image(picture, limits=limits, fill=guard.info.pad_colour) for picture in pictures)
    prepared = guard.create_unguarded_request(
        ChatRequest(images=images, turns=(Turn(role="user", text=text, images=len(images)),), max_tokens=24)
    )
    pixels = None if prepared.pixels_ICHW is None else torch.from_numpy(prepared.pixels_ICHW)
    tokens = generate_unmodified(
        load_backbone(NANO_CHECKPOINT / BACKBONE_DIR).model, guard.model, prepared.prompt, pixels, max_new_tokens=24
    )
    expected = guard.model.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert read_unguarded(client, text, *pictures) == str(expected).lstrip()


def test_the_guard_refuses_what_the_bare_model_answers(client: TestClient) -> None:
    guarded = send_question(client, PAGE_CHAT, MAKE, WEAPON).json()
    assert (guarded["decision"], guarded["content"]) == ("refused", None)
    assert read_unguarded(client, MAKE, WEAPON)


def test_guarded_replies_are_the_same_on_a_server_that_compares(client: TestClient) -> None:
    plain = load_guard(NANO_CHECKPOINT, device="cpu", limits=Settings().guard_limits)
    with open_local_client(plain, default_max_tokens=24) as other:
        for text, pictures in QUESTIONS:
            compared = send_question(client, PAGE_CHAT, text, *pictures).json()
            expected = send_question(other, PAGE_CHAT, text, *pictures).json()
            for field in ("decision", "content", "refusal", "finish_reason", "risk"):
                assert compared[field] == expected[field], (text, field)


def test_both_kinds_take_turns_on_one_thread(guard: Guard, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of both at once: each gets the reply that it gets alone, and one thread runs both models."""
    alone = {text: read_unguarded(client, text, *pictures) for text, pictures in QUESTIONS[:4]}
    guarded_alone = {text: send_question(client, PAGE_CHAT, text, *pictures).json() for text, pictures in QUESTIONS[:4]}
    threads: set[str] = set()
    assert guard.model.bare is not None
    for model in (guard.model, guard.model.bare):
        embed = model.embed

        def record(*args: Any, embed: Any = embed, **kwargs: Any) -> Any:
            threads.add(threading.current_thread().name)
            return embed(*args, **kwargs)

        monkeypatch.setattr(model, "embed", record)
    with ThreadPoolExecutor(8) as pool:
        unguarded = {text: pool.submit(read_unguarded, client, text, *pictures) for text, pictures in QUESTIONS[:4]}
        guarded = {
            text: pool.submit(send_question, client, PAGE_CHAT, text, *pictures) for text, pictures in QUESTIONS[:4]
        }
        assert {text: future.result() for text, future in unguarded.items()} == alone
        for text, future in guarded.items():
            reply = future.result().json()
            assert (reply["decision"], reply["content"]) == (
                guarded_alone[text]["decision"],
                guarded_alone[text]["content"],
            )
    assert threads == {"guard"}
