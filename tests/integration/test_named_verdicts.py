"""What was decided about is told alike by every interface, whatever the head finds most probable; or by none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.audit_log.queries import read_entries
from safety_core.engine.judging.variant_decision import decide_variants
from safety_core.engine.judging.verdicts import build_verdict
from safety_core.engine.messages import GuardRequest, GuardVerdict
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, Policy
from safety_core.scores import PairScores, RiskScores
from service.api.openai.responses import OPENAI_CATEGORIES, SAME_AS
from service.telemetry.logs import FIELDS
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.requests.judging_requests import PAGE_CHAT, PLAYGROUND, send_question
from tests.helpers.server.applications import open_client
from tests.helpers.server.events import parse_events
from tests.helpers.server.metrics import read_metric

MESSAGES = [{"role": "user", "content": "a"}]
POLICY = "thresholds: {illegal: {1: 0.1, 2: 0.1, 3: 0.1}}\n"


class Doubtful(FakeGuard):
    """The head thinks of nothing bad in the first place; a strict policy refuses all the same."""

    def assess(self, request: GuardRequest) -> GuardVerdict:
        types = self.taxonomy.types
        scores = RiskScores(
            types=tuple({"safe": 0.6, "illegal": 0.3}.get(name, 0.1 / (len(types) - 2)) for name in types),
            levels=(0.6, 0.1, 0.1, 0.2),
        )
        pair = PairScores(joint=None, per_image=(), image=None, text=scores)
        active = request.policy or ActivePolicy(policy=Policy.create_default(self.taxonomy))
        worst, others = decide_variants(active, self.taxonomy, [request.turns], [pair])
        assert worst.scores is not None
        verdict = build_verdict(active.policy, self.taxonomy, request, pair, worst.verdict, worst.scores)
        return replace(verdict, variant_scores=(pair,), others=others)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


@pytest.fixture
def client(policy: Path, tmp_path: Path) -> Iterator[TestClient]:
    with open_client(Doubtful(), policy=policy, audit_log=tmp_path / "audit.db") as client:
        yield client


def risks_of(client: TestClient) -> dict[str, Any]:
    """The risk that each interface tells."""
    chat = {"prompt": "a"}
    completion = {"model": "fake", "messages": MESSAGES}
    chunks = client.post("/v1/chat/completions", json=completion | {"stream": True}).text.split("\n\n")
    streamed = parse_events(client.post("/v1/chat", json=chat | {"stream": True}).text)
    return {
        "chat": client.post("/v1/chat", json=chat).json().get("risk"),
        "chat stream": streamed[0][1].get("risk"),
        "chat stream's end": streamed[-1][1].get("risk"),
        "classify": client.post("/v1/classify", json=chat).json().get("risk"),
        "completions": client.post("/v1/chat/completions", json=completion).json()["safevlm"].get("risk"),
        "completions stream": json.loads(chunks[0].removeprefix("data: "))["safevlm"].get("risk"),
        "moderations": client.post("/v1/moderations", json={"input": "a"}).json()["results"][0]["safevlm"].get("risk"),
        "playground": send_question(client, PAGE_CHAT, "a").json().get("risk"),
        "playground's judgement": send_question(client, PLAYGROUND, "a").json().get("risk"),
    }


def test_every_interface_names_what_the_verdict_was_about(
    client: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        found = risks_of(client)
    for name, risk in found.items():
        assert (risk["type"], risk["level"]) == ("illegal", {"index": 3, "name": "refuse"}), name
        assert risk["type_scores"]["safe"] == 0.6, name
    lines = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    assert {(line["decision"], line["risk_type"], line["risk_level"]) for line in lines} == {("refused", "illegal", 3)}
    text = client.get("/metrics").text
    assert read_metric(text, "safevlm_risk_total", type="illegal", level="refuse") == len(lines)
    assert {(entry.type, entry.level) for entry in read_entries(tmp_path / "audit.db")} == {("illegal", 3)}


def test_where_no_risk_is_told_nothing_names_it(policy: Path) -> None:
    with open_client(Doubtful(), policy=policy, expose_risk=False) as client:
        assert set(risks_of(client).values()) == {None}
        results = {}
        for type_ in ("illegal", "privacy"):
            policy.write_text(POLICY.replace("illegal", type_))
            with open_client(Doubtful(), policy=policy, expose_risk=False) as other:
                results[type_] = other.post("/v1/moderations", json={"input": "a"}).json()["results"][0]
                blocked = other.post("/beta/litellm_basic_guardrail_api", json={"texts": ["a"]}).json()
                assert set(blocked) <= {"action", "blocked_reason"}
    with open_client(FakeGuard(decision=Decision.REFUSED), expose_risk=False) as client:
        politics = client.post("/v1/moderations", json={"input": "a"}).json()["results"][0]
    with open_client(FakeGuard(decision=Decision.ALLOWED), expose_risk=False) as client:
        allowed = client.post("/v1/moderations", json={"input": "a"}).json()["results"][0]
    assert results["illegal"]["flagged"]
    assert {**results["illegal"], "safevlm": None} == {**politics, "safevlm": None}
    ours = {*FakeGuard().taxonomy.risky_types, *SAME_AS.values()}
    for result, flagged in ((politics, True), (allowed, False)):
        assert result["flagged"] == flagged
        assert set(result["categories"]) == ours | set(OPENAI_CATEGORIES)
        assert {name for name, on in result["categories"].items() if on} == (ours if flagged else set())
        assert set(result["category_scores"].values()) <= {0.0, 1.0}
