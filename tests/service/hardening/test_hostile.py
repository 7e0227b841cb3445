"""Damaged requests of any kind: a verdict or a typed 4xx, never a 5xx, and the next request works."""

import base64
import json
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from service.api.schemas.requests import JsonRequest
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_base64_png, encode_image, encode_png
from tests.helpers.server.applications import open_client

EDGE = "edge"
FORM = (
    f'--{EDGE}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nWhat is it?\r\n'
    f'--{EDGE}\r\nContent-Disposition: form-data; name="stream"\r\n\r\nfalse\r\n'
    f'--{EDGE}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
).encode() + encode_png((20, 10)) + f"\r\n--{EDGE}--\r\n".encode()  # fmt: skip
JSON = json.dumps({"prompt": "What is it?", "images": [encode_base64_png()], "temperature": 0.5, "seed": 3}).encode()
BODIES = {f"multipart/form-data; boundary={EDGE}": FORM, "application/json": JSON}

damage = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with open_client(FakeGuard()) as client:
        yield client


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(BODIES)), damage, st.integers(0, 10_000), st.sampled_from(["/v1/chat", "/v1/classify"]))
@pytest.mark.filterwarnings("default")
def test_damaged_bodies(client: TestClient, kind: str, damage: list[tuple[int, int]], cut: int, path: str) -> None:
    body = bytearray(BODIES[kind])
    for position, value in damage:
        body[position % len(body)] = value
    response = client.post(path, content=bytes(body[: len(body) - cut % 3]), headers={"content-type": kind})
    if response.status_code == 200:
        assert response.json()["images_received"] == response.json()["images_scanned"]
    else:
        assert 400 <= response.status_code < 500
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_whole_bodies_are_served(client: TestClient) -> None:
    for kind, body in BODIES.items():
        assert client.post("/v1/chat", content=body, headers={"content-type": kind}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", 'multipart/form-data; boundary="', "application/json", "", ";", "a/b/c"]
)
def test_strange_media_types(client: TestClient, kind: str) -> None:
    response = client.post("/v1/chat", content=b"{}", headers={"content-type": kind})
    assert response.status_code in (400, 415)


@pytest.mark.parametrize("depth", [100, 10_000, 100_000])
def test_deeply_nested_json(client: TestClient, depth: int) -> None:
    body = b'{"prompt": ' + b"[" * depth + b"]" * depth + b"}"
    response = client.post("/v1/chat", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 413, 422)


@pytest.mark.parametrize("values", [b"1,", b'"",', b"[],", b'{"":1},'])
@pytest.mark.parametrize("field", [b"images", b"prompt", b"x"])
def test_json_of_millions_of_values_is_refused_unparsed(
    client: TestClient, field: bytes, values: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JsonRequest, "model_validate_json", lambda body: pytest.fail("it was parsed"))
    body = b'{"' + field + b'": [' + values * 1_000_000 + b"0]}"
    response = client.post("/v1/chat", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


def test_a_full_request_of_commas_and_brackets_is_served() -> None:
    fake = FakeGuard()
    options = {"stream": False, "max_tokens": 5, "temperature": 0, "top_p": 1, "seed": 1, "explain": False}
    named = {"policy": "default", "language": "en"}
    images = [f"data:image/png;base64,{encode_base64_png()}"] * 3
    with open_client(fake, max_images=3, max_prompt_tokens=10) as client:
        for mark in ",[{":
            request = {"prompt": mark * 160, "images": images, **options, **named}
            assert set(request) == set(JsonRequest.model_fields)
            assert client.post("/v1/chat", json=request).status_code == 200
    assert len(fake.requests) == 3


def test_large_json_is_parsed_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    parse = JsonRequest.model_validate_json

    def spied(body: bytes) -> JsonRequest:
        threads.append(threading.current_thread().name)
        return parse(body)

    monkeypatch.setattr(JsonRequest, "model_validate_json", spied)
    noise = base64.b64encode(encode_image(Image.effect_noise((300, 300), 90), "PNG")).decode()
    with open_client(FakeGuard()) as client:
        for images in ([encode_base64_png()], [noise]):
            assert client.post("/v1/chat", json={"prompt": "a", "images": images}).status_code == 200
    assert [name.startswith("prepare") for name in threads] == [False, True]


@pytest.mark.parametrize("path", ["/v1/chat", "/v1/classify"])
def test_a_prompt_too_long_by_its_length_never_waits_for_the_guard(path: str) -> None:
    fake = FakeGuard()
    with open_client(fake, max_prompt_tokens=10) as client:
        for request in (
            {"json": {"prompt": "x" * 161}},
            {"json": {"prompt": "x" * 5_000_000}},
            {"data": {"prompt": "x" * 161}, "files": [("image", ("a.png", encode_png()))]},
        ):
            error = client.post(path, **request)
            assert (error.status_code, error.json()["error"]["code"]) == (400, "prompt_too_long")
            assert error.json()["error"]["param"] == "prompt"
        assert client.post(path, json={"prompt": "x" * 160}).status_code == 200
    assert len(fake.requests) == 1
