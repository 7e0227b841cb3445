"""Policies over HTTP: who may choose which, in which language, changed while the server runs, tried in its shadow."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from safety_core.policy.policy import Decision
from service.access.api_keys import Scope, format_key_entry
from service.policies import parse_accept_language
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.files import replace_file
from tests.helpers.server.applications import open_client
from tests.helpers.server.keys import build_bearer_header
from tests.helpers.server.metrics import read_metric
from tests.helpers.waiting import wait_until

POLICIES = """\
fallback_refusal: Sorry.
refusals: {politics: No.}
translations: {de: {refusals: {politics: Nein.}}}
policies:
  strict: {refusals: {politics: Never.}}
  hidden: {}
selectable: [strict]
"""


def chatted(client: TestClient, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return client.post("/v1/chat", json={"prompt": "a", **fields}, headers=headers)


def completed(client: TestClient, **fields: Any) -> Any:
    messages = [{"role": "user", "content": "a"}]
    return client.post("/v1/chat/completions", json={"model": "fake", "messages": messages, **fields})


def guarded(client: TestClient, **params: Any) -> Any:
    asked = {"texts": ["a"], "additional_provider_specific_params": params}
    return client.post("/beta/litellm_basic_guardrail_api", json=asked)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICIES, encoding="utf-8")
    return path


@pytest.fixture
def refusing(file: Path) -> Iterator[TestClient]:
    with open_client(FakeGuard(decision=Decision.REFUSED), policy=file) as client:
        yield client


def test_the_operators_texts_are_what_a_refusal_says(refusing: TestClient) -> None:
    assert chatted(refusing).json()["refusal"] == "No."
    assert completed(refusing).json()["choices"][0]["message"]["refusal"] == "No."
    assert guarded(refusing).json()["blocked_reason"] == "No."


@pytest.mark.parametrize(
    ("headers", "field", "said"),
    [
        ({"Accept-Language": "de-AT, en;q=0.5"}, None, "Nein."),
        ({"Accept-Language": "en, de;q=0.9"}, None, "No."),
        ({"Accept-Language": "fr"}, "de", "Nein."),
        ({"Accept-Language": "de"}, "en", "No."),
        ({"Accept-Language": "de"}, "xx", "No."),
    ],
)
def test_a_refusal_speaks_its_readers_language(
    refusing: TestClient, headers: dict[str, str], field: str | None, said: str
) -> None:
    fields = {} if field is None else {"language": field}
    assert chatted(refusing, headers, **fields).json()["refusal"] == said


def test_every_path_takes_the_language_as_a_field(refusing: TestClient) -> None:
    assert completed(refusing, language="de").json()["choices"][0]["message"]["refusal"] == "Nein."
    assert guarded(refusing, language="de").json()["blocked_reason"] == "Nein."
    form = refusing.post("/v1/chat", files={"prompt": (None, "a"), "language": (None, "de")})
    assert form.json()["refusal"] == "Nein."


def test_a_request_chooses_among_those_that_may_be_chosen(refusing: TestClient) -> None:
    assert chatted(refusing, policy="strict").json()["refusal"] == "Never."
    assert chatted(refusing, policy="default").json()["refusal"] == "No."
    assert completed(refusing, policy="strict").json()["choices"][0]["message"]["refusal"] == "Never."
    assert guarded(refusing, policy="strict").json()["blocked_reason"] == "Never."
    moderated = refusing.post("/v1/moderations", json={"input": "a", "policy": "strict"})
    assert moderated.json()["results"][0]["flagged"]


@pytest.mark.parametrize("name", ["hidden", "none", "HIDDEN"])
def test_whether_there_is_another_policy_is_not_told(refusing: TestClient, name: str) -> None:
    for response in (
        chatted(refusing, policy=name),
        completed(refusing, policy=name),
        guarded(refusing, policy=name),
        refusing.post("/v1/classify", json={"prompt": "a", "policy": name}),
        refusing.post("/v1/moderations", json={"input": "a", "policy": name}),
    ):
        assert response.status_code == 403
        error = response.json()["error"]
        assert (error["code"], error["param"]) == ("policy_not_allowed", "policy")
        assert name not in response.text


def test_a_key_has_its_own_policies(file: Path) -> None:
    keys = (
        format_key_entry("shop", "shop", [Scope.CHAT])
        + "  policies: [hidden, strict]\n"
        + format_key_entry("web", "web", ["chat"])
    )
    fake = FakeGuard()
    with open_client(fake, policy=file, api_keys=keys) as client:
        statuses = {
            (secret, name): chatted(
                client, build_bearer_header(secret), **({"policy": name} if name else {})
            ).status_code
            for secret in ("shop", "web")
            for name in ("", "hidden", "strict", "default")
        }
    assert statuses == {
        ("shop", ""): 200, ("shop", "hidden"): 200, ("shop", "strict"): 200, ("shop", "default"): 403,
        ("web", ""): 200, ("web", "hidden"): 403, ("web", "strict"): 200, ("web", "default"): 200,
    }  # fmt: skip
    used = [request.policy.name for request in fake.requests if request.policy is not None]
    assert used == ["hidden", "strict", "default"]  # equal requests under equal policies share a verdict


def test_a_server_whose_keys_name_no_policy_does_not_start(file: Path) -> None:
    keys = format_key_entry("shop", "shop", [Scope.CHAT]) + "  policies: [gone]\n"
    with (
        pytest.raises(Exception, match="the key shop names the policy gone"),
        open_client(FakeGuard(), policy=file, api_keys=keys),
    ):
        pass


def test_a_key_whose_policy_was_taken_away_gets_nothing(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = format_key_entry("shop", "shop", [Scope.CHAT]) + "  policies: [hidden]\n"
    with open_client(FakeGuard(), policy=file, api_keys=keys, reload_interval_s=0.02) as client:
        assert chatted(client, build_bearer_header("shop")).status_code == 200
        replace_file(file, POLICIES.replace("  hidden: {}\n", ""))
        wait_until(lambda: chatted(client, build_bearer_header("shop")).status_code == 503)
        assert chatted(client, build_bearer_header("shop")).json()["error"]["code"] == "no_verdict"
    assert "the key shop names the policy hidden, which does not exist" in caplog.text


def test_a_policy_changes_without_a_restart_and_a_broken_one_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_client(FakeGuard(decision=Decision.REFUSED), policy=file, reload_interval_s=0.02) as client:

        def says(text: str) -> Callable[[], bool]:
            return lambda: chatted(client).json()["refusal"] == text

        assert says("No.")()
        replace_file(file, "refusals: {politics: Other words.}\n")
        wait_until(says("Other words."))
        assert client.get("/readyz").json() == {"status": "ready"}
        replace_file(file, "refusals: {politics: Worse.}\nthresholds: {privacy: {3: SECRET}}\n")
        wait_until(lambda: "detail" in client.get("/readyz").json())
        assert says("Other words.")()
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["detail"] == {"policies": "The newest version is invalid; the previous one stays in force."}
        assert read_metric(client.get("/metrics").text, "safevlm_file_stale", file="policies") == 1
        assert "policy.yaml:2: thresholds.privacy.3: a number is needed" in caplog.text
        replace_file(file, "refusals: {politics: Better.}\n")
        wait_until(says("Better."))
        assert client.get("/readyz").json() == {"status": "ready"}
        assert read_metric(client.get("/metrics").text, "safevlm_file_stale", file="policies") == 0


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_that_is_gone_or_emptied_leaves_its_policy_in_force(file: Path, content: str | None) -> None:
    before = file.read_text(encoding="utf-8")
    with open_client(FakeGuard(decision=Decision.REFUSED), policy=file, reload_interval_s=0.02) as client:
        if content is None:
            file.unlink()
        else:
            replace_file(file, content)
        wait_until(lambda: "policies" in client.get("/readyz").json().get("detail", {}))
        assert chatted(client).json()["refusal"] == "No."
        replace_file(file, before)
        wait_until(lambda: client.get("/readyz").json() == {"status": "ready"})


def test_shadow_mode_counts_and_logs_what_it_does_not_do(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("mode: shadow\n", encoding="utf-8")
    fake = FakeGuard(decision=Decision.REFUSED)
    with caplog.at_level("INFO"), open_client(fake, policy=file) as client:
        reply = chatted(client).json()
        judged = client.post("/v1/classify", json={"prompt": "a"}).json()
        blocked = guarded(client).json()
        text = client.get("/metrics").text
    assert (reply["decision"], reply["refusal"]) == ("allowed", None)
    assert reply["content"] == "".join(fake.pieces)
    assert (judged["decision"], judged["flagged"]) == ("allowed", False)
    assert blocked == {"action": "NONE"}
    assert read_metric(text, "safevlm_requests_total", decision="allowed", endpoint="chat") == 1
    decided = {"policy": "default", "mode": "shadow", "decision": "refused"}
    assert read_metric(text, "safevlm_policy_decisions_total", **decided) == 3
    assert read_metric(text, "safevlm_policy_decisions_total", **{**decided, "mode": "enforce"}) == 0
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [line["decision"] for line in lines] == ["allowed"] * 3
    assert [line["others"] for line in lines] == [{"default": "refused"}] * 3


def test_two_policies_are_compared_on_the_same_requests(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    off = ", ".join(f"{kind}: false" for kind in ("politics", "illegal", "insults_bullying", "fairness", "privacy"))
    file.write_text(
        f"beside: [trial, same]\npolicies:\n  trial: {{enabled: {{{off}, misleading: false}}}}\n  same:\n",
        encoding="utf-8",
    )
    with caplog.at_level("INFO"), open_client(FakeGuard(decision=Decision.REFUSED), policy=file) as client:
        assert chatted(client).json()["decision"] == "refused"
        text = client.get("/metrics").text
    counts = {
        (name, mode, decision): read_metric(
            text, "safevlm_policy_decisions_total", policy=name, mode=mode, decision=decision
        )
        for name, mode, decision in [
            ("default", "enforce", "refused"), ("trial", "shadow", "allowed"), ("same", "shadow", "refused"),
        ]
    }  # fmt: skip
    assert set(counts.values()) == {1}
    differs = {"policy": "default", "decision": "refused", "other": "trial", "other_decision": "allowed"}
    assert read_metric(text, "safevlm_policy_differences_total", **differs) == 1
    assert 'other="same"' not in text
    (line,) = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert (line["policy"], line["others"]) == ("default", {"trial": "allowed", "same": "refused"})
    assert len(line["policy_version"]) == 12


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", []),
        ("de", ["de"]),
        ("en;q=0.5, de-AT, fr;q=0.8", ["de-AT", "fr", "en"]),
        ("en; q=0, de", ["de"]),
        ("en;q=x, de;q, fr", ["fr"]),
        (" , ;q=1,*", ["*"]),
        (",".join(["xx"] * 5000), ["xx"] * 16),
        ("a-" * 30_000 + "a, de", ["de"]),
    ],
)
def test_parse_accept_language(header: str, tags: list[str]) -> None:
    assert parse_accept_language(header) == tags
