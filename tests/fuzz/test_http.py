"""Sends hundreds of damaged pictures to the shipped server in a process of its own, and checks its memory."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from safety_core.inputs.images.limits import ImageLimits
from tests.fuzz import serving
from tests.fuzz.bounds import bounds
from tests.fuzz.cases import case, format_complaints
from tests.fuzz.decoding import outcome
from tests.fuzz.serving import LIMITS, WAYS, complaint
from tests.helpers.images.encoding import encode_png
from tests.helpers.paths import ROOT
from tests.helpers.server.metrics import read_metric
from tests.helpers.server.processes import ServerProcess, run_server

MAX_GROWTH_BYTES = 48 * 2**20
"""Largest growth of the server after its first requests. The allocator settles within a third of this; in CI it
corresponds to a quarter of a megabyte per request, in a longer run to less."""

_SETTLING = 200
_STEP = 100
_MAX_COMPLAINTS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with run_server(
        ROOT / "weights" / "safevlm-nano",
        max_image_bytes=LIMITS.max_bytes,
        max_image_pixels=LIMITS.max_pixels,
        cache_mb=1,  # a full cache must not hide a leak
    ) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(0)  # each request has its own deadline
def test_damaged_pictures_get_a_verdict_or_a_refusal(server: ServerProcess) -> None:
    wanted, process = bounds(), psutil.Process(server.process.pid)
    complaints: list[str] = []
    settled = 0
    with httpx.Client(base_url=server.url, timeout=120) as client, ThreadPoolExecutor(4) as pool:

        def tried(number: int) -> str | None:
            one = case(wanted.seed, number)
            wrong = complaint(client, one)
            return wrong and f"{one.name}, once {one.origin}: {wrong}"

        for start in range(0, wanted.served, _STEP):
            numbers = range(start, min(start + _STEP, wanted.served))
            complaints += [wrong for wrong in pool.map(tried, numbers) if wrong]
            print(f"served {numbers.stop} of {wanted.served}, complaints: {len(complaints)}", flush=True)
            if len(complaints) >= _MAX_COMPLAINTS:
                break
            if numbers.stop == _SETTLING:
                settled = process.memory_info().rss
        if settled and (grown := process.memory_info().rss - settled) >= MAX_GROWTH_BYTES:
            complaints.append(f"the server grew by {grown} bytes")
        assert not complaints, format_complaints(complaints)
        sound = client.post("/v1/chat", data={"prompt": "What is it?"}, files=[("image", ("a.png", encode_png()))])
        metrics = client.get("/metrics").text
    assert sound.status_code == 200
    assert sound.json()["images_scanned"] == 1
    assert read_metric(metrics, "safevlm_worker_deaths_total") == 0
    assert all(
        read_metric(metrics, "safevlm_queue_depth", queue=queue) == 0 for queue in ("guard", "decode", "generate")
    )
    reasons = {line.split('"')[1] for line in metrics.splitlines() if line.startswith("safevlm_rejected_total{")}
    assert all(reason.startswith("image_") for reason in reasons), reasons
    log = server.log.read_text()
    assert "PIL" not in log
    levels = {json.loads(line)["level"] for line in log.splitlines() if line.startswith("{")}
    assert levels <= {"info", "warning"}


def test_every_way_to_send_a_picture_is_taken(server: ServerProcess) -> None:
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for send, counts in WAYS:
            response = send(client, encode_png())
            assert response.status_code == 200
            assert counts(response) == (1, 1)


@pytest.mark.parametrize("fault", [AssertionError(), MemoryError(), RecursionError()])
def test_a_decoder_that_breaks_its_promise_is_a_complaint(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes, limits: ImageLimits) -> None:
        raise fault

    monkeypatch.setattr(serving, "decode_image", decode)
    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(lambda _: httpx.Response(500))) as client:
        assert complaint(client, case(0, 0)) == f"{type(fault).__name__} escaped"


def test_an_answer_of_another_shape_is_a_complaint() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=[]))
    sound = next(tried for tried in (case(0, number) for number in range(1000)) if outcome(tried).picture)
    with httpx.Client(base_url="http://server", transport=transport) as client:
        assert (complaint(client, sound) or "").endswith(" escaped")
