"""The proof: the shipped checkpoint, served as a process, judges the four shipped pictures as docs/nano.md shows."""

import json
import re
from hashlib import sha256
from typing import Any

import httpx
import pytest

from safety_core.evaluation.statistics.bars import DEFAULT_BARS
from safety_core.model.checkpoint.checkpoint import verify
from safety_core.nano.build.examples import EXAMPLES, Example
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.build.suite import CLAIMED_PX
from service.playground.examples import DRAWN, read_example
from service.playground.examples import Example as PageExample
from tests.helpers.paths import ROOT
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    GUARDRAIL,
    PAGE_CHAT,
    PLAYGROUND,
    ROUTES,
    build_body,
    build_options,
    translate_error,
)
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import count_generated, read_metric
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.routes import MODEL_LABELS
from tests.helpers.waiting import wait_until

CHECKPOINT = ROOT / "weights" / "safevlm-nano"


@pytest.fixture
def server(nano_server: ServerProcess) -> ServerProcess:
    return nano_server


def post(server: ServerProcess, example: Example, **fields: Any) -> httpx.Response:
    picture = (ROOT / "examples" / example.file).read_bytes()
    return httpx.post(
        f"{server.url}/v1/chat",
        files={"image": (example.file, picture, "image/png")},
        data={"prompt": example.prompt, **fields},
        timeout=120,
    )


SCANNED = re.compile(r'"images_received":(\d+),"images_scanned":(\d+)')
NAMED = re.compile(r'"id":"([^"]+)"')


def render_exposition(server: ServerProcess, accept: str = "application/openmetrics-text") -> str:
    return httpx.get(f"{server.url}/metrics", headers={"accept": accept}).text


def logged(server: ServerProcess, name: str) -> list[dict[str, Any]]:
    """Log lines of a request; its own is written once the reply is out."""

    def lines() -> list[dict[str, Any]]:
        written = server.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in written if name in line and line.endswith("}")]
        return [line for line in found if line.get("request_id") == name]

    wait_until(lambda: bool(lines()))
    return lines()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_the_decision_and_the_risk_type_of_each_picture(server: ServerProcess, example: Example) -> None:
    reply = post(server, example).json()
    assert reply["decision"] == example.decision
    assert reply["risk"]["type"] == example.risk_type
    assert reply["images_received"] == reply["images_scanned"] == 1


def test_the_harmless_scene_is_described(server: ServerProcess) -> None:
    reply = post(server, EXAMPLES[0]).json()
    assert reply["content"] == "A picture of a dog, a house and a tree on a blue background."
    assert reply["refusal"] is None
    assert reply["finish_reason"] == "stop"


@pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda example: example.file)
def test_a_refusal_costs_no_token_of_the_language_model(server: ServerProcess, example: Example) -> None:
    before = count_generated(server.url)
    reply = post(server, example).json()
    assert reply["content"] is None
    assert reply["refusal"]
    assert reply["finish_reason"] == "content_filter"
    assert reply["usage"]["completion_tokens"] == 0
    assert count_generated(server.url) == before


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_streaming_says_the_same(server: ServerProcess, example: Example) -> None:
    whole = post(server, example).json()
    streamed = parse_events(post(server, example, stream="true").text)
    assert streamed[0][0] == "assessment"
    assert streamed[0][1]["decision"] == example.decision
    text = "".join(data.get("content") or data.get("refusal") or "" for name, data in streamed if name == "delta")
    assert text == (whole["content"] or whole["refusal"])
    assert streamed[-1][0] == "done"


@pytest.mark.parametrize("example", DRAWN, ids=lambda example: example.kind)
def test_the_examples_of_the_playground_are_decided_as_it_says(server: ServerProcess, example: PageExample) -> None:
    pictures = [] if example.file is None else [read_example(example.file)[0]]
    for route in (PAGE_CHAT, PLAYGROUND):
        sent = httpx.post(f"{server.url}{route}", **build_options(route, example.prompt, *pictures), timeout=120)
        assert sent.json()["decision"] == example.expects
    about = httpx.get(f"{server.url}/playground/about", timeout=60).json()
    assert example.prompt in [one["prompt"] for one in about["examples"]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_every_picture_is_scanned_and_the_request_has_one_name_everywhere(
    server: ServerProcess, route: str, stream: bool
) -> None:
    """Reply, header, log line and exemplars agree, whatever the protocol has a place for."""
    if stream and route not in ANSWERING:
        return
    pictures = [(ROOT / "examples" / example.file).read_bytes() for example in EXAMPLES[:2]]
    for count in (1, 2):
        asked = build_body(route, f"What is it? {route} {stream}", *pictures[:count])
        response = httpx.post(f"{server.url}{route}", json=asked | ({"stream": True} if stream else {}), timeout=120)
        assert response.status_code == 200
        name = response.headers["x-request-id"]
        found = [(int(received), int(scanned)) for received, scanned in SCANNED.findall(response.text)]
        assert found == ([] if route == GUARDRAIL else [(count, count)])
        assert set(NAMED.findall(response.text)) == ({name} if route != GUARDRAIL else set())
        (line,) = logged(server, name)
        assert line["images"] == [sha256(picture).hexdigest() for picture in pictures[:count]]
        assert (line["endpoint"], line["status"], line["images_scanned"]) == (MODEL_LABELS[route], 200, count)
        assert len(re.findall(f'# {{request_id="{name}"}}', render_exposition(server))) >= 2


@pytest.mark.parametrize("route", ROUTES)
def test_a_picture_that_cannot_be_scanned_fails_its_request(server: ServerProcess, route: str) -> None:
    sound = (ROOT / "examples" / EXAMPLES[0].file).read_bytes()
    before = read_metric(render_exposition(server, ""), "safevlm_risk_total", type="safe", level="safe")
    for unfit in (sound[:200], b"", b"GIF89a", b"no picture"):
        for pictures in ([sound, unfit], [unfit, sound]):
            response = httpx.post(f"{server.url}{route}", json=build_body(route, "What is it?", *pictures))
            assert response.status_code in (400, 415)
            assert set(response.json()) == {"error"}
            (line,) = logged(server, response.headers["x-request-id"])
            assert line["status"] == response.status_code
            assert translate_error(route, 400, line["error"])[1] == response.json()["error"]["code"]
            assert "decision" not in line
    assert read_metric(render_exposition(server, ""), "safevlm_risk_total", type="safe", level="safe") == before


def test_the_page_shows_these_very_replies(server: ServerProcess) -> None:
    page = (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")
    for example in EXAMPLES:
        reply = post(server, example).json()
        found = f"{reply['decision']} ({reply['risk']['type']}, level {reply['risk']['level']['index']})"
        said = reply["content"] or reply["refusal"]
        assert f"`{example.file}` | {example.prompt} | {found} | {said} |" in page


def test_what_ships_is_sound_and_small() -> None:
    found = verify(CHECKPOINT)
    assert found.spec.trained
    assert found.size <= 32 * 2**20
    assert all(file.stat().st_size < 16 * 2**20 for file in CHECKPOINT.rglob("*") if file.is_file())


def test_the_thresholds_refuse_at_most_one_in_a_hundred_that_deserve_an_answer() -> None:
    tally = verify(CHECKPOINT).spec.provenance["calibration"]
    assert isinstance(tally, dict)
    assert tally["answerable"] >= 1000
    assert tally["false_refusals"] <= 0.01 * tally["answerable"]


def test_the_card_claims_the_lettering_sizes_that_the_suite_holds_it_to() -> None:
    card = (CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"lettering of {CLAIMED_PX['min']} to {CLAIMED_PX['max']} px" in card


def test_the_tables_other_rows_share_the_backbone() -> None:
    others = sorted(CHECKPOINT.parent.glob(f"{CHECKPOINT.name}-*"))
    assert others
    for other in others:
        found = verify(other)
        assert found.spec.trained
        assert not found.ships_backbone
        assert found.spec.dims == verify(CHECKPOINT).spec.dims


def test_it_was_made_by_the_recipe_as_it_stands() -> None:
    recipe = json.loads(json.dumps(SHIPPED.to_dict()))
    assert verify(CHECKPOINT).spec.provenance["recipe"] == recipe
    for other in CHECKPOINT.parent.glob(f"{CHECKPOINT.name}-*"):
        assert verify(other).spec.provenance["recipe"] == recipe


def test_the_page_names_every_bar_that_the_card_does_not_clear() -> None:
    card = (CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")
    table = card.split("## Bars\n\n", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    held = [(line.split(" | ")[0].removeprefix("| "), line.endswith(" | yes |")) for line in table]
    assert {bar for bar, _ in held} == {bar.title for bar in DEFAULT_BARS}
    assert f"{len(held)} bars" in page
    missed = [bar for bar, cleared in held if not cleared]
    for bar in missed:
        assert f"`{bar}`" in page
    assert ("clears all" in page) == (not missed)


def test_the_card_says_how_to_measure_again() -> None:
    card = (CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "`safevlm evaluate --suite nano --check-bars`" in card


def test_the_figures_of_the_page_are_those_of_the_card() -> None:
    card = (CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")
    head, _, *rows = card.split("## Overview\n\n", 1)[1].split("\n\n", 1)[0].splitlines()
    columns = head.strip("| ").split(" | ")
    shown = [columns.index(name) for name in ("unsafe, %", "attack success, %", "over-refusal, %")]
    figures = {
        cells[0]: [f"{cells[i].split(' ')[0]} %" for i in shown]
        for row in rows
        for cells in [row.strip("| ").split(" | ")]
    }
    for name, system in (
        ("bare", "language model without the guard"),
        ("first_token", "guard with the public reference's head"),
        ("shipped", "this guard, as shipped"),
    ):
        assert f"| {system} | {' | '.join(figures[name])} |" in page
