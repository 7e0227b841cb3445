"""Lettering in pictures through the whole service: judged on every path, shown to its sender only, never ignored."""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from safety_core.audit_log.queries import read_entries
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.lettering.framing import frame_lettering
from safety_core.lettering.reading import LetteringReader, Problem, ReadingLimits
from safety_core.model.head_inputs import HeadInput, HeadScores
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.policy import Policy
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.readers import FakeReader, draw_sentences, needs_ocr
from tests.helpers.images.encoding import encode_data_url, encode_image
from tests.helpers.requests.judging_requests import (
    CHAT,
    CLASSIFY,
    COMPLETIONS,
    GUARDRAIL,
    PAGE_CHAT,
    PLAYGROUND,
    ROUTES,
    is_refused,
    read_error,
    read_verdict,
    send_question,
)
from tests.helpers.server.applications import open_client
from tests.helpers.server.metrics import read_metric

QUESTION = "What is it?"
PICTURE = encode_image(Image.new("RGB", (60, 40), "red"))
OTHER = encode_image(Image.new("RGB", (40, 60), "blue"))
CANARY_SIZE = (64, 48)
HARM = ("quixotic", "plan")
SECRET = HARM[0]
"""A word of the lettering that must not turn up anywhere else."""


@pytest.fixture(scope="module")
def model(tiny_checkpoint: Path) -> SafeLlava:
    return load_guard(tiny_checkpoint, device="cpu").model


@pytest.fixture
def understanding(model: SafeLlava, monkeypatch: pytest.MonkeyPatch) -> SafeLlava:
    """The model with a head that understands words, but no pictures: it finds harm in the two words of ``HARM``."""
    safe, worst = (
        RiskScores(types=tuple(float(name == kind) for name in T.types), levels=levels)
        for kind, levels in ((T.safe_type, (1.0, 0.0, 0.0, 0.0)), (T.risky_types[0], (0.0, 0.0, 0.0, 1.0)))
    )

    def score(
        safe_BMD: object,
        inputs: Sequence[HeadInput],
        *,
        heatmap: bool = False,
        read: object = None,
        limit: object = None,
    ) -> Iterator[dict[HeadInput, HeadScores]]:
        grid = ((1.0,),) if heatmap else ()
        for one in inputs:
            text = model.tokenizer.decode(list(one.prompt or ()))
            harmful = not one.images and all(word in text for word in HARM)
            yield {one: HeadScores(worst if harmful else safe, grid if one.images else ())}

    monkeypatch.setattr(model, "score_in_passes", score)
    return model


@contextmanager
def serve(
    model: SafeLlava,
    reader: LetteringReader | None,
    policy: Policy | None = None,
    limits: GuardLimits | None = None,
    **settings: Any,
) -> Iterator[TestClient]:
    """A client of an application that reads pictures."""
    guard = Guard(model, policy or Policy.create_default(T), reader=reader, limits=limits)
    with open_client(guard, **settings) as client:
        yield client


def classify(client: TestClient, *pictures: bytes, **fields: Any) -> dict[str, Any]:
    reply: dict[str, Any] = send_question(client, CLASSIFY, QUESTION, *(pictures or (PICTURE,)), **fields).json()
    return reply


@pytest.mark.parametrize("route", [*ROUTES, PAGE_CHAT, PLAYGROUND])
def test_lettering_decides_on_every_path(understanding: SafeLlava, route: str) -> None:
    with serve(understanding, FakeReader(texts=HARM)) as client:
        assert is_refused(send_question(client, route, QUESTION, PICTURE))
        metrics = client.get("/metrics").text
    assert read_metric(metrics, "safevlm_deciding_surface_total", decision="refused", surface="lettering") == 1
    with_canary = 2
    assert read_metric(metrics, "safevlm_pictures_read_total", outcome="read") == with_canary
    assert read_metric(metrics, "safevlm_reading_seconds_count") == with_canary
    for reader in (FakeReader(), None):
        with serve(understanding, reader) as client:
            assert not is_refused(send_question(client, route, QUESTION, PICTURE))


def test_the_head_reads_the_frames_that_training_builds(model: SafeLlava) -> None:
    with serve(model, FakeReader(texts=["Mind the gap"])) as client:
        found = classify(client)["risk"]["surfaces"]["lettering"]
    texts = ["Mind the gap", frame_lettering("Mind the gap"), frame_lettering("Mind the gap", QUESTION)]
    inputs = [HeadInput((), tuple(ids)) for ids in model.prompts.encode_texts(texts)]
    scores = model.score_inputs(None, inputs)
    assert found == pytest.approx(max(sum(scores[one].scores.levels[1:]) for one in inputs), abs=1e-5)


def test_a_stream_begins_with_the_verdict_on_the_lettering(understanding: SafeLlava) -> None:
    with serve(understanding, FakeReader(texts=HARM)) as client:
        lines = send_question(client, CHAT, QUESTION, PICTURE, stream=True).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    assert events[0]["decision"] == "refused"
    assert events[0]["risk"]["surfaces"]["lettering"] > events[0]["risk"]["surfaces"]["joint"]
    assert events[1].keys() == {"refusal"}


def test_words_that_are_spread_over_two_pictures_are_judged_together(understanding: SafeLlava) -> None:
    first, second = HARM
    reader = FakeReader(by_colour={(255, 0, 0): [first], (0, 0, 255): [second]})
    with serve(understanding, reader) as client:
        joint = classify(client, PICTURE, OTHER)
        assert joint["decision"] == "refused"
        alone = [image["surfaces"]["lettering"] for image in joint["images"]]
        assert max(alone) < joint["risk"]["surfaces"]["lettering"]


def test_a_picture_of_every_turn_is_read_once_whatever_is_asked_about_it(model: SafeLlava) -> None:
    reader = FakeReader(texts=["Mind the gap"])
    shown = [{"type": "image_url", "image_url": {"url": encode_data_url(PICTURE)}}, {"type": "text", "text": "Look."}]
    again = [{"type": "image_url", "image_url": {"url": encode_data_url(OTHER)}}, {"type": "text", "text": "And it?"}]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": shown},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": again},
    ]
    refusing = replace(
        Policy.create_default(T), thresholds={name: dict.fromkeys((1, 2, 3), 0.0) for name in T.risky_types}
    )
    with serve(model, reader, refusing) as client:
        for _ in range(2):
            body = {"model": "in-memory", "messages": messages, "max_tokens": 2}
            assert client.post(COMPLETIONS, json=body).status_code == 200
    assert sorted(size for size in reader.sizes if size != CANARY_SIZE) == [(40, 60), (60, 40)]


def test_what_was_read_is_shown_to_the_client_that_asks_for_an_explanation(model: SafeLlava) -> None:
    reader = FakeReader(by_colour={(255, 0, 0): ["Mind the gap", "Look left"]})
    with serve(model, reader) as client:
        for route in (CLASSIFY, PLAYGROUND):
            found = send_question(client, route, QUESTION, PICTURE, OTHER, explain=True).json()
            first, second = found["lettering"]
            assert [line["text"] for line in first["lines"]] == ["Mind the gap", "Look left"]
            assert first["lines"][1]["box"] == pytest.approx([0.1, 0.5, 0.9, 0.9])
            assert (first["image"], second) == (0, {"image": 1, "lines": []})
        assert "gap" not in send_question(client, CLASSIFY, QUESTION, PICTURE).text
        assert "gap" in send_question(client, PLAYGROUND, QUESTION, PICTURE).text, "it always explains"
        for route in (CHAT, PAGE_CHAT):
            assert "gap" not in send_question(client, route, QUESTION, PICTURE, explain=True).text
        assert client.get("/playground/about").json()["reads_pictures"] is True
    with serve(model, reader, expose_risk=False) as client:
        for route in (CLASSIFY, PLAYGROUND):
            assert "gap" not in send_question(client, route, QUESTION, PICTURE, explain=True).text


def test_without_lettering_the_reply_has_the_fields_of_a_guard_without_a_reader(model: SafeLlava) -> None:
    replies = []
    for reader in (FakeReader(), None):
        with serve(model, reader) as client:
            replies.append(classify(client))
    with_reader, without = replies
    assert with_reader.keys() == without.keys()
    assert with_reader["risk"]["surfaces"].keys() == without["risk"]["surfaces"].keys() == {"image", "text", "joint"}
    # The picture reaches the image processor in another size.
    assert with_reader["risk"]["type_scores"] == pytest.approx(without["risk"]["type_scores"], abs=0.05)


def test_lettering_is_in_no_log_no_metric_and_no_audit_log(
    understanding: SafeLlava, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.db"
    with caplog.at_level(logging.DEBUG), serve(understanding, FakeReader(texts=HARM), audit_log=path) as client:
        for route in (*ROUTES, PAGE_CHAT, PLAYGROUND):
            send_question(client, route, QUESTION, PICTURE, **({"explain": True} if route == CLASSIFY else {}))
        metrics = client.get("/metrics").text
    entries = read_entries(path)
    assert {entry.surface for entry in entries} == {"lettering"}
    for entry in entries:
        assert entry.surfaces is not None
        assert max(entry.surfaces, key=entry.surfaces.__getitem__) == "lettering"
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for place in (caplog.text, metrics, stored.decode("latin-1")):
        assert SECRET not in place


@pytest.mark.parametrize(
    ("reader", "outcome", "error"),
    [
        (FakeReader(failure=ValueError(SECRET)), "failed", (503, "no_verdict")),
        (FakeReader(texts=[SECRET], problem=Problem.TIME), "incomplete", (503, "no_verdict")),
        (FakeReader(texts=[SECRET] * 10_000), "incomplete", (422, "lettering_too_long")),
        (FakeReader(texts=[SECRET * 1_000_000]), "incomplete", (422, "lettering_too_long")),
    ],
    ids=["failing", "out of time", "many boxes", "long"],
)
@pytest.mark.parametrize("route", [*ROUTES, PAGE_CHAT, PLAYGROUND])
def test_without_complete_lettering_nothing_is_answered(
    model: SafeLlava,
    reader: FakeReader,
    outcome: str,
    error: tuple[int, str],
    route: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = GuardLimits(reading=ReadingLimits(request_s=240, picture_s=240))
    # The canary's picture must be readable, or the server never becomes ready.
    harmless = FakeReader()

    class Reader:
        def read(self, image: Image.Image) -> Any:
            return (reader if image.size == (60, 40) else harmless).read(image)

    with serve(model, Reader(), limits=limits) as client:
        response = send_question(client, route, QUESTION, PICTURE)
        metrics = client.get("/metrics").text
    if route in (CHAT, COMPLETIONS, PAGE_CHAT):
        body = response.json()
        refusal = body["choices"][0]["message"]["refusal"] if "choices" in body else body["refusal"]
        assert refusal == Policy.create_default(T).fallback_refusal
    elif route == GUARDRAIL and outcome == "incomplete":
        # An error would let the request pass in a proxy that continues after errors.
        assert response.json()["action"] == "BLOCKED"
    else:
        assert read_error(response) == error
    assert read_metric(metrics, "safevlm_pictures_read_total", outcome=outcome) == 1
    assert SECRET not in caplog.text + metrics + response.text


def test_a_reader_that_hangs_ends_in_an_error_and_blocks_no_request_without_pictures(model: SafeLlava) -> None:
    reader, release = FakeReader(), threading.Event()

    class Reader:
        def read(self, image: Image.Image) -> Any:
            if image.size == (60, 40):
                release.wait(240)
            return reader.read(image)

    limits = GuardLimits(reading=ReadingLimits(request_s=0.2, picture_s=0.1))
    with serve(model, Reader(), limits=limits) as client:
        try:
            assert read_error(send_question(client, CLASSIFY, QUESTION, PICTURE)) == (503, "no_verdict")
            assert read_verdict(send_question(client, CLASSIFY, QUESTION))["risk"]
            metrics = client.get("/metrics").text
        finally:
            release.set()
    assert read_metric(metrics, "safevlm_pictures_read_total", outcome="incomplete") == 1


def test_a_server_whose_reader_fails_is_not_ready(model: SafeLlava) -> None:
    with serve(model, FakeReader(failure=ValueError())) as client:
        assert client.get("/readyz").status_code == 503


def test_the_reader_gets_more_pixels_than_the_model(model: SafeLlava) -> None:
    reader = FakeReader()
    with serve(model, reader) as client:
        classify(client, encode_image(Image.new("RGB", (2000, 500), "red")))
    assert reader.sizes[-1] == (ReadingLimits().side, ReadingLimits().side // 4)


@needs_ocr
def test_a_rendered_sentence_is_read_and_shown(tiny_checkpoint: Path) -> None:
    limits = GuardLimits(reading=ReadingLimits(request_s=240, picture_s=240))
    guard = load_guard(tiny_checkpoint, device="cpu", limits=limits, read_pictures="true")
    picture = encode_image(draw_sentences(["Wash your hands", "and dry them well."], size=(640, 200), height=40))
    with open_client(guard) as client:
        (found,) = classify(client, picture, explain=True)["lettering"]
        metrics = client.get("/metrics").text
    assert [line["text"] for line in found["lines"]] == ["Wash your hands", "and dry them well."]
    assert read_metric(metrics, "safevlm_pictures_read_total", outcome="read") == 1
