"""JSON bodies as their RFCs allow them, and as clients send them."""

import json

import pytest
from starlette.testclient import TestClient

from safety_core.engine.messages import ChatRequest
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_png

BODY = json.dumps({"prompt": "Grüße?"}, ensure_ascii=False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY.encode(), "application/json"),
        (BODY.encode(), "Application/JSON; charset=UTF-8"),
        (BODY.encode(), 'application/json; charset="utf-8"'),
        (b"\xef\xbb\xbf" + BODY.encode(), "application/json"),
        (b" \r\n\t" + BODY.encode() + b"\n ", "application/json"),
        (BODY.encode("utf-16"), "application/json"),
        (BODY.encode("utf-16-le"), "application/json"),
        (BODY.encode("utf-32-be"), "application/json"),
        (BODY.encode("iso-8859-1"), "application/json; charset=iso-8859-1"),
        (BODY.encode("windows-1252"), "application/json;charset=Windows-1252"),
        (json.dumps({"prompt": "Grüße?"}).encode("ascii"), "application/json; charset=us-ascii"),
        (BODY.encode(), "application/vnd.api+json"),
        (BODY.encode(), "text/json"),
        (b'{"prompt": "Hello", "prompt": "Gr\xc3\xbc\xc3\x9fe?"}', "application/json"),
    ],
)
def test_json_is_read_in_its_encoding(client: TestClient, fake: FakeGuard, body: bytes, kind: str) -> None:
    assert client.post("/v1/chat", content=body, headers={"content-type": kind}).status_code == 200
    request = fake.requests[-1]
    assert isinstance(request, ChatRequest)
    assert [turn.text for turn in request.turns] == ["Grüße?"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "body_malformed"),
        (BODY.encode("iso-8859-1"), "application/json", 400, "body_malformed"),
        (BODY.encode("utf-16") + b"\x00", "application/json", 400, "body_malformed"),
        (b'{"prompt": "\\ud800"}', "application/json", 400, "body_malformed"),
        (b"{'prompt': 'a'}", "application/json", 400, "body_malformed"),
        (b'{"prompt": "a"} {}', "application/json", 400, "body_malformed"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", 400, "body_malformed"),
        (b'{"prompt": "a", "temperature": Infinity}', "application/json", 422, "invalid_field"),
        (b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", "application/json", 400, "body_malformed"),
        (BODY.encode(), "application/json; charset=rot13", 422, "invalid_field"),
        (BODY.encode(), "application/json; charset=utf-7", 422, "invalid_field"),
        (BODY.encode(), "text/plain", 415, "content_type"),  # pages of other sites may send it without asking
        (BODY.encode(), "application/jsonp", 415, "content_type"),
    ],
)
def test_other_bodies_are_refused(client: TestClient, body: bytes, kind: str, status: int, code: str) -> None:
    response = client.post("/v1/chat", content=body, headers={"content-type": kind})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_values_are_counted_after_decoding(client: TestClient) -> None:
    body = ('{"images": [' + "1," * 1_000_000 + "1]}").encode("utf-16")
    response = client.post("/v1/chat", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("name", ["image", "images", "image[]", "images[]", "image[0]", "images[12]"])
def test_pictures_are_taken_by_the_names_that_frameworks_give_them(client: TestClient, name: str) -> None:
    files = [(name, ("a.png", encode_png())), (name, ("b.png", encode_png(colour="blue")))]
    response = client.post("/v1/classify", data={"prompt": "a"}, files=files)
    assert response.json()["images_scanned"] == 2


@pytest.mark.parametrize("name", ["picture", "image[x]", "imagess", "ximage", "images[]\n"])
def test_files_by_other_names_are_refused(client: TestClient, name: str) -> None:
    response = client.post("/v1/classify", data={"prompt": "a"}, files=[(name, ("a.png", encode_png()))])
    assert (response.status_code, response.json()["error"]["code"]) == (422, "unknown_field")


def test_which_of_several_pictures_is_broken_is_said(client: TestClient) -> None:
    files = [("image", ("a.png", encode_png())), ("image", ("b.png", encode_png()[:40]))]
    error = client.post("/v1/classify", files=files).json()["error"]
    assert (error["param"], error["message"].partition(":")[0]) == ("image", "Image 2")
    alone = client.post("/v1/classify", files=files[1:]).json()["error"]
    assert "Picture" not in alone["message"]
