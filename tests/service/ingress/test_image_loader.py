"""ImageLoader of a request: read in every spelling, counted before they are decoded, and never in the way of texts."""

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image
from starlette.testclient import TestClient

from safety_core.inputs.images.decoding import DecodedImage, decode_inspected
from safety_core.inputs.images.inspection import InspectedImage, inspect_image
from service.ingress import image_loader as pictures
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.encoding import encode_image, encode_png
from tests.helpers.paths import ROOT
from tests.helpers.requests.judging_requests import (
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    GUARDRAIL,
    LOOK,
    MODERATIONS,
    PAGE,
    ROUTES,
    read_error,
    send_question,
    translate_error,
)
from tests.helpers.server.applications import open_client, open_local_client
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.routes import MODEL_LABELS

SCENE = encode_image(Image.effect_noise((40, 30), 90), "PNG")
TEXT = base64.b64encode(SCENE).decode()
WRAPPED = "\r\n".join(TEXT[start : start + 76] for start in range(0, len(TEXT), 76))


def body(route: str, *sources: str) -> dict[str, Any]:
    """A request that shows pictures in these very spellings."""
    parts = [
        *({"type": "image_url", "image_url": {"url": source}} for source in sources),
        {"type": "text", "text": LOOK},
    ]
    bodies: dict[str, dict[str, Any]] = {
        COMPLETIONS: {"model": "fake", "messages": [{"role": "user", "content": parts}]},
        MODERATIONS: {"input": parts},
        GUARDRAIL: {"texts": [LOOK], "images": list(sources)},
    }
    return bodies.get(route, {"prompt": LOOK, "images": list(sources)})


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "source",
    [
        WRAPPED,
        f"{TEXT}\n",
        TEXT.rstrip("="),
        TEXT.replace("+", "-").replace("/", "_"),
        f"DATA:Image/PNG;charset=utf-8;BASE64,{WRAPPED}",
        f"data:image/png;base64,{quote(TEXT, safe='')}",
    ],
)
def test_base64_is_read_as_people_make_it_on_every_path(client: TestClient, route: str, source: str) -> None:
    assert client.post(route, json=body(route, source)).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_ambiguous_is_refused_on_every_path(client: TestClient, route: str) -> None:
    assert read_error(client.post(route, json=body(route, f"{TEXT[:40]}=={TEXT}"))) == translate_error(
        route, 400, "image_encoding"
    )


# --- a budget of pixels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", MODEL_LABELS)
def test_pictures_that_cost_too_much_together_are_refused_before_any_is_decoded(
    route: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "decode_inspected", lambda *args, **more: pytest.fail("it was decoded"))
    clear = [Image.new("RGBA", (2000, 2000), (shade, 2, 3, 128)) for shade in range(4)]
    tiny = [encode_image(one, "WEBP", lossless=True, method=0) for one in clear]
    with open_local_client(
        FakeGuard(bare_pieces=("a",)), max_request_pixels=30_000_000, playground_compare=True
    ) as client:
        answer = send_question(client, route, LOOK, *tiny)
        assert read_error(answer) == translate_error(route, 413, "image_too_large")
        assert "Image 4 of 4" in answer.json()["error"]["message"]
        assert "30000000" in answer.json()["error"]["message"]


def test_photos_cost_less_than_their_pixels() -> None:
    photo = encode_image(Image.effect_noise((200, 150), 60).resize((2000, 1500)), "JPEG")
    files = [("image", (f"{number}.jpg", photo)) for number in range(8)]
    with open_client(FakeGuard(side=140), max_request_pixels=8_000_000) as client:
        assert client.post(CLASSIFY, files=files).status_code == 200
        flat = encode_image(Image.new("RGB", (2000, 1500)), "PNG")
        assert client.post(CLASSIFY, files=[("image", ("a.png", flat))] * 2).status_code == 413


def test_views_are_no_larger_than_what_the_model_makes_of_them() -> None:
    fake = FakeGuard(side=140)
    with open_client(fake) as client:
        for size, side in (((900, 700), 140), ((100, 60), 100), ((20, 10), 32)):
            assert client.post(CLASSIFY, files=[("image", ("a.png", encode_png(size)))]).status_code == 200
            assert [view.size for view in fake.requests[-1].images[0].views] == [(side, side)]


# --- deadlines, and who waits for whom -------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator["Slow"]:
    made = Slow()
    monkeypatch.setattr(pictures, "decode_inspected", made)
    yield made
    made.free.set()


class Slow:
    """Decoding that takes until it is let go, for large pictures only."""

    def __init__(self) -> None:
        self.free, self.began = threading.Event(), threading.Semaphore(0)
        self.decoded: list[int] = []
        self._decode = decode_inspected

    def __call__(self, picture: InspectedImage, *, check: Callable[[], None], **options: Any) -> DecodedImage:
        if picture.file.width > 1000:
            self.began.release()
            assert self.free.wait(30)
            check()
            self.decoded.append(picture.file.width)
            return self._decode(inspect_image(encode_png()), **options)
        return self._decode(picture, check=check, **options)


LARGE = encode_image(Image.new("RGB", (1600, 1500)), "PNG")


def large(count: int) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{number}.png", LARGE)) for number in range(count)]


def test_a_request_past_its_deadline_is_told_at_once_and_the_rest_of_it_never_begins(slow: Slow) -> None:
    with open_client(FakeGuard(), verdict_timeout_s=0.3, decode_workers=1) as client:
        answer = client.post(CLASSIFY, files=large(3))
        assert read_error(answer) == (503, "timeout")
        assert not slow.free.is_set(), "it waited for a thread"
        slow.free.set()
        wait_until_idle(client)
        assert slow.decoded == []


def test_texts_and_small_pictures_do_not_wait_for_large_ones(slow: Slow) -> None:
    with open_client(FakeGuard(), decode_workers=1) as client, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.post, CLASSIFY, files=large(2)) for _ in range(3)]
        assert slow.began.acquire(timeout=30)
        assert client.post(CLASSIFY, json={"prompt": "a text"}).status_code == 200
        assert client.post(CLASSIFY, json={"prompt": "word " * 15_000}).status_code in (200, 400)
        assert client.post(CHAT, files=[("image", ("a.png", encode_png()))], data={"prompt": LOOK}).status_code == 200
        assert not any(one.done() for one in waiting)
        slow.free.set()
        assert {one.result().status_code for one in waiting} == {200}


def test_more_decoding_than_can_be_done_is_429_at_once(slow: Slow) -> None:
    with (
        open_client(FakeGuard(), decode_workers=1, max_request_pixels=11_000_000) as client,
        ThreadPoolExecutor(20) as pool,
    ):
        posts = [pool.submit(client.post, CLASSIFY, files=large(2)) for _ in range(20)]
        refused = next(as_completed(posts, timeout=30)).result()
        assert read_error(refused) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.post(CLASSIFY, files=[("image", ("a.png", encode_png()))]).status_code == 200
        slow.free.set()
        assert {one.result(60).status_code for one in posts} == {200, 429}
        wait_until_idle(client)


def wait_until_idle(client: TestClient) -> None:
    for _ in range(3000):
        if read_metric(client.get("/metrics").text, "safevlm_queue_depth", queue="decode") == 0:
            return
        time.sleep(0.01)
    raise AssertionError("something still waits to be decoded")


# --- memory ----------------------------------------------------------------------------------------------------------


def test_what_a_request_holds_is_let_go_of() -> None:
    big = encode_image(Image.effect_noise((900, 900), 90), "PNG")
    with open_local_client(FakeGuard(bare_pieces=("a",)), playground_compare=True) as client:
        for route in ROUTES:
            sent = body(route, base64.b64encode(big).decode(), TEXT)
            assert client.post(route, json=sent).status_code == 200
            assert client.post(route, json=body(route, "nonsense!")).status_code == 400
        for route in PAGE:
            assert send_question(client, route, LOOK, big, SCENE).status_code == 200
            assert send_question(client, route, LOOK, big, b"nonsense!").status_code == 415
        assert client.post(CHAT, files=large(1), data={"prompt": LOOK, "stream": "true"}).status_code == 200
        assert client.app_state["service"].memory.used == 0


def test_beyond_the_budget_of_memory_requests_are_429_and_one_alone_is_served(slow: Slow) -> None:
    with open_client(FakeGuard(), max_memory_mb=64) as client, ThreadPoolExecutor(1) as pool:
        memory = client.app_state["service"].memory
        held = memory.reserve("somebody")
        client.portal.call(held.grow, 32 * 2**20)  # type: ignore[union-attr]
        answer = client.post(CLASSIFY, files=[("image", ("a.png", encode_png()))])
        assert read_error(answer) == (429, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        client.portal.call(held.close)  # type: ignore[union-attr]
        assert client.post(CLASSIFY, files=[("image", ("a.png", encode_png()))]).status_code == 200
        slow.free.set()
        assert pool.submit(client.post, CLASSIFY, files=large(8)).result().status_code in (200, 413)
        assert memory.used == 0


@pytest.mark.parametrize("stage", ["inspect_image", "decode_inspected"])
def test_want_of_memory_fails_one_request_and_no_other(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: object, **more: object) -> None:
        raise MemoryError

    with open_client(FakeGuard()) as client:
        with monkeypatch.context() as patch:
            patch.setattr(pictures, stage, exhausted)
            answer = client.post(CLASSIFY, files=[("image", ("a.png", encode_png()))])
        assert read_error(answer) == (503, "out_of_memory")
        assert client.post(CLASSIFY, files=[("image", ("a.png", encode_png()))]).status_code == 200
        assert client.app_state["service"].memory.used == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say how large a process is")
def test_a_server_short_of_memory_fails_large_pictures_and_recovers_by_itself() -> None:
    command = [sys.executable, "-m", "tests.helpers.server.short_of_memory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)
    short = "503 out_of_memory"
    assert json.loads(done.stdout) == ["served", short, "served", short, "served", "served"]


def test_dear_pictures_of_a_request_that_will_be_refused_are_not_decoded(slow: Slow) -> None:
    fake = FakeGuard()
    fake.gate.clear()
    slow.free.set()
    # The queue is full, although there are places left for requests.
    with open_client(fake, max_requests=1000, decode_workers=1) as client, ThreadPoolExecutor(1) as pool:
        service = client.app_state["service"]
        waiting = pool.submit(client.post, CLASSIFY, json={"prompt": "a"})
        while not fake.requests:
            time.sleep(0.005)
        service.guard._scheduler.verdicts._max_requests = 0
        assert read_error(client.post(CLASSIFY, files=large(1))) == (429, "overloaded")
        damaged = [("image", (f"{number}.png", b"not a picture")) for number in range(2)]
        assert read_error(client.post(CLASSIFY, files=damaged)) == (429, "overloaded"), "several are not even inspected"
        assert slow.decoded == []
        fake.gate.set()
        assert waiting.result().status_code == 200
