"""Faults inside a real (tiny) engine, seen from outside: typed errors, no word without a verdict, recovery."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from safety_core.engine.generation.generator import Generator
from safety_core.engine.guard import Guard
from safety_core.engine.load import load_guard
from safety_core.engine.protocols import StepOutput
from safety_core.errors import GenerationError
from safety_core.policy.policy import Decision
from tests.helpers.engine.fakes import FakeGenerator, FakeGuard, FakeSequence
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.images.encoding import encode_png
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric
from tests.helpers.waiting import wait_until

Fault = Callable[[Guard, pytest.MonkeyPatch], None]


@pytest.fixture
def guard(tiny_checkpoint: Path) -> Guard:
    """A guard that lets everything through, so that any text could get out."""
    guard = load_guard(tiny_checkpoint, device="cpu")
    guard.policy = create_forced_policy(Decision.ALLOWED)
    return guard


def ask(client: TestClient, *, stream: bool = False, prompt: str = "What is it?") -> Any:
    data = {"prompt": prompt, "max_tokens": "8", "stream": str(stream).lower()}
    return client.post("/v1/chat", data=data, files=[("image", ("a.png", encode_png()))])


def told(response: Any) -> tuple[str, str]:
    """What the client was told: the error's code or the decision, and the model's words that came without a verdict."""
    if not response.headers["content-type"].startswith("text/event-stream"):
        body: dict[str, Any] = response.json()
        if response.status_code != 200:
            return body["error"]["code"], "" if set(body) == {"error"} else response.text
        return body["decision"], "" if "risk" in body else body["content"] or ""
    unjudged, judged, outcome = "", False, ""
    for name, data in parse_events(response.text):
        judged |= name == "assessment" and "risk" in data
        if name == "delta" and not judged:
            unjudged += data.get("content", "")
        if name in ("done", "error"):
            outcome = data["decision"] if name == "done" else data["error"]["code"]
    return outcome, unjudged


def no_memory_to_judge(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def scarce(pixels: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    patch.setattr(guard.model, "encode_images", scarce)


def no_memory_to_answer(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def scarce(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    patch.setattr(Generator, "_forward", scarce)


def no_memory_for_the_next_token(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def scarce(*args: Any, **kwargs: Any) -> None:
        raise MemoryError

    patch.setattr(Generator, "_decode", scarce)


def scores_that_are_nan(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    project_features = guard.model.project_features
    patch.setattr(guard.model, "project_features", lambda vision: project_features(vision) * float("nan"))


def logits_that_are_infinite(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    head = guard.model.backbone.lm_head.forward
    patch.setattr(guard.model.backbone.lm_head, "forward", lambda hidden: head(hidden) + float("inf"))


def logits_that_become_nan(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    decode = Generator._decode

    def broken(self: Generator, rows: Any) -> Any:
        with patch.context() as inner:
            head = guard.model.backbone.lm_head.forward
            inner.setattr(guard.model.backbone.lm_head, "forward", lambda hidden: head(hidden) * float("nan"))
            return decode(self, rows)

    patch.setattr(Generator, "_decode", broken)


def preparing_breaks(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def broken(views: Any) -> None:
        raise ValueError("SECRET")

    patch.setattr(guard.model, "preprocess_numpy", broken)


def judging_breaks(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("SECRET")

    patch.setattr(guard.model, "score_samples", broken)


def embedding_breaks(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("SECRET")

    patch.setattr(guard.model, "embed", broken)


FAULTS: dict[Fault, str] = {
    no_memory_to_judge: "out_of_memory",
    no_memory_to_answer: "out_of_memory",
    no_memory_for_the_next_token: "out_of_memory",
    scores_that_are_nan: "refused",
    logits_that_are_infinite: "generation_failed",
    logits_that_become_nan: "generation_failed",
    preparing_breaks: "refused",
    judging_breaks: "refused",
    embedding_breaks: "generation_failed",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "outcome"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_fault_is_told_without_a_word_of_the_model_and_is_over_afterwards(
    guard: Guard, fault: Fault, outcome: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with open_client(guard) as client:
        with pytest.MonkeyPatch.context() as patch:
            fault(guard, patch)
            response = ask(client, stream=stream)
        assert told(response) == (outcome, "")
        assert response.status_code == (200 if outcome == "refused" or "event-stream" in str(response.headers) else 503)
        assert "SECRET" not in response.text + caplog.text
        assert client.get("/readyz").status_code == 200, "one request's fault is not the server's"
        assert told(ask(client, stream=stream)) == ("allowed", "")
        exposition = client.get("/metrics").text
    reason = "no_verdict" if outcome == "refused" else outcome
    assert read_metric(exposition, "safevlm_rejected_total", reason=reason) == 1
    assert read_metric(exposition, "safevlm_in_flight", endpoint="chat") == 0


@contextmanager
def held_canary(guard: Guard) -> Iterator[None]:
    """While it lasts, no canary passes, so that readiness does not come back before it was looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "find_canary_failure", lambda verdict: "held")
        yield


def judging_kills(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    judge, kills = guard.judge, iter([True])

    def fatal(batch: Any) -> Any:
        if next(kills, False):
            raise RuntimeError("SECRET")
        return judge(batch)

    patch.setattr(guard, "judge", fatal)


def generating_kills(guard: Guard, patch: pytest.MonkeyPatch) -> None:
    decode, kills = Generator._decode, iter([True])

    def fatal(self: Generator, rows: Any) -> Any:
        if next(kills, False):
            raise RuntimeError("CUDA error: SECRET")
        return decode(self, rows)

    patch.setattr(Generator, "_decode", fatal)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [judging_kills, generating_kills])
def test_a_worker_that_dies_flips_readiness_and_comes_back(
    guard: Guard, fault: Fault, stream: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with open_client(guard, canary_interval_s=0.05) as client:
        fault(guard, monkeypatch)
        with held_canary(guard):
            response = ask(client, stream=stream)
            assert told(response) == ("stopping", "")
            assert response.status_code == (200 if "event-stream" in str(response.headers) else 503)
            for reply in (client.get("/readyz"), ask(client), client.post("/v1/classify", json={"prompt": "a"})):
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "not_ready")
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert told(ask(client, stream=stream)) == ("allowed", "")
        assert read_metric(client.get("/metrics").text, "safevlm_worker_deaths_total") == 1
    assert "SECRET" not in response.text + caplog.text


def test_one_moment_without_memory_is_not_even_noticed(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, moments = guard.model.encode_images, iter([True])

    def scarce(pixels: torch.Tensor) -> Any:
        if next(moments, False):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(pixels)

    with open_client(guard) as client:
        monkeypatch.setattr(guard.model, "encode_images", scarce)
        assert told(ask(client)) == ("allowed", "")


@pytest.mark.parametrize("stream", [False, True])
def test_a_verdict_that_does_not_come_in_time_is_no_verdict(
    guard: Guard, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, answered = guard.judge, threading.Event()

    def slow(batch: Any) -> Any:
        assert answered.wait(30)
        return judge(batch)

    with open_client(guard, verdict_timeout_s=2) as client:
        monkeypatch.setattr(guard, "judge", slow)
        assert told(ask(client, stream=stream)) == ("timeout", "")
        # A turn that outlives the deadline is a stuck worker.
        wait_until(lambda: client.get("/readyz").status_code == 503)
        answered.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert told(ask(client, stream=stream)) == ("allowed", "")


@pytest.mark.parametrize("stream", [False, True])
def test_where_one_of_several_replies_fails_the_others_are_stopped(stream: bool) -> None:
    class FirstFails(FakeGenerator):
        def step(self) -> list[StepOutput[FakeSequence]]:
            failing = [
                row for row in self.sequences[:1] if not self.guard.stopped.is_set() and len(self.sequences) == 2
            ]
            for row in failing:
                row.failure = GenerationError("the first one fails, the other never ends")
                self.sequences.remove(row)
            return [StepOutput(row, "") for row in failing]

    class OneOfTwoFails(FakeGuard):
        def create_generator(self) -> FakeGenerator:
            return FirstFails(self)

    fake = OneOfTwoFails()
    body = {"model": "fake", "messages": [{"role": "user", "content": "a"}], "n": 2, "stream": stream}
    with open_client(fake) as client:
        response = client.post("/v1/chat/completions", json=body)
        assert "generation_failed" in response.text
        assert fake.stopped.wait(30)
