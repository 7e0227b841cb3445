"""Metrics: what is counted how often, under which closed lists of labels."""

from dataclasses import dataclass, replace

import pytest

from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply, build_unguarded_reply
from safety_core.engine.messages import GuardVerdict
from safety_core.engine.serving.async_guard import AsyncGuard
from safety_core.engine.serving.cores import CoreShare
from safety_core.policy.policy import Decision
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from service.ingress.decode_pool import DecodePool
from service.telemetry.metrics import Metrics
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.requests import GUARD_REQUEST
from tests.helpers.engine.scenarios import run_scenario
from tests.helpers.server.metrics import read_metric

RISKY = {"type": T.types[0], "level": T.levels[3]}


def read(metrics: Metrics, name: str, **labels: str) -> float:
    text, _ = metrics.render_exposition()
    return read_metric(text.decode(), name, **labels)


def verdict(decision: Decision | None, **others: Decision) -> GuardVerdict:
    found = FakeGuard(decision=decision).assess(GUARD_REQUEST)
    return replace(found, others={name: replace(found.verdict, decision=one) for name, one in others.items()})


def record(policy: str | None = None) -> RequestRecord:
    return RequestRecord(endpoint="chat", policy=policy)


def test_a_verdict_is_counted_by_decision_risk_and_stage() -> None:
    metrics = Metrics()
    metrics.record_verdict(record(), replace(verdict(Decision.REFUSED), guard_ms=20.0, prepare_ms=5.0))
    assert read(metrics, "safevlm_requests_total", endpoint="chat", decision="refused") == 1
    assert read(metrics, "safevlm_risk_total", **RISKY) == 1
    assert read(metrics, "safevlm_stage_seconds_sum", endpoint="chat", stage="guard") == 0.02
    assert read(metrics, "safevlm_stage_seconds_sum", endpoint="chat", stage="decode") == 0.005


def test_a_verdict_that_was_known_is_no_pass_of_the_model() -> None:
    metrics = Metrics()
    metrics.record_verdict(record(), replace(verdict(Decision.ALLOWED), reused=True, guard_ms=20.0))
    text = metrics.render_exposition()[0].decode()
    assert read(metrics, "safevlm_requests_total", endpoint="chat", decision="allowed") == 1
    assert 'stage="guard"' not in text


def test_where_risk_is_not_told_its_kind_is_hidden_and_without_a_verdict_there_is_none() -> None:
    metrics = Metrics(names_risk=False)
    metrics.record_verdict(record(), verdict(Decision.REFUSED))
    metrics.record_verdict(record(), verdict(None))
    assert read(metrics, "safevlm_risk_total", type="hidden", level="hidden") == 1
    assert read(metrics, "safevlm_requests_total", endpoint="chat", decision="refused") == 2


def test_policies_are_counted_in_force_and_in_shadow_and_where_they_differ() -> None:
    metrics = Metrics()
    metrics.record_verdict(record("shop"), verdict(Decision.ALLOWED, strict=Decision.REFUSED, mild=Decision.ALLOWED))
    counted = "safevlm_policy_decisions_total"
    assert read(metrics, counted, policy="shop", mode="enforce", decision="allowed") == 1
    assert read(metrics, counted, policy="strict", mode="shadow", decision="refused") == 1
    differences = {"policy": "shop", "decision": "allowed", "other": "strict", "other_decision": "refused"}
    assert read(metrics, "safevlm_policy_differences_total", **differences) == 1
    assert metrics.render_exposition()[0].decode().count("\nsafevlm_policy_differences_total{") == 1


def test_a_policy_in_shadow_mode_is_not_counted_as_enforced() -> None:
    metrics = Metrics()
    metrics.record_verdict(record("trial"), verdict(Decision.ALLOWED, trial=Decision.REFUSED))
    text = metrics.render_exposition()[0].decode()
    assert 'mode="enforce"' not in text
    assert read(metrics, "safevlm_policy_decisions_total", policy="trial", mode="shadow", decision="refused") == 1


@pytest.mark.parametrize(
    ("finish_reason", "harmful", "outcome"),
    [("stop", False, "said"), ("length", False, "said"), ("content_filter", True, "cut"), ("stop", True, "would_cut")],
)
def test_replies_are_counted_by_what_the_rail_did(finish_reason: str, harmful: bool, outcome: str) -> None:
    metrics, sequence = Metrics(), FakeSequence(("a",), token_ids=[1])
    reply = build_generated_reply(verdict(Decision.ALLOWED), sequence, generate_ms=50.0)
    reply = replace(reply, finish_reason=finish_reason, harmful=harmful)  # type: ignore[arg-type]
    metrics.record_reply(record(), reply)
    assert read(metrics, "safevlm_replies_total", policy="default", outcome=outcome) == 1
    assert read(metrics, "safevlm_stage_seconds_sum", endpoint="chat", stage="generate") == 0.05


def test_an_unguarded_reply_is_none_of_a_policy() -> None:
    metrics = Metrics()
    reply = build_unguarded_reply(FakeSequence(("a",), token_ids=[1]), queue_ms=10.0, generate_ms=50.0)
    metrics.record_unguarded_reply(RequestRecord(endpoint="unguarded"), reply)
    assert read(metrics, "safevlm_unguarded_replies_total", finish_reason="stop") == 1
    assert read(metrics, "safevlm_stage_seconds_sum", endpoint="unguarded", stage="generate") == 0.05
    assert read(metrics, "safevlm_stage_seconds_sum", endpoint="unguarded", stage="queue") == 0.01
    exposition = metrics.render_exposition()[0].decode()
    assert "safevlm_replies_total{" not in exposition
    assert "safevlm_requests_total{" not in exposition


def test_a_refusal_is_no_generated_reply() -> None:
    metrics = Metrics()
    metrics.record_reply(record(), build_refused_reply(verdict(Decision.REFUSED)))
    assert "safevlm_replies_total{" not in metrics.render_exposition()[0].decode()
    assert read(metrics, "safevlm_stage_seconds_count", endpoint="chat", stage="queue") == 1


@pytest.mark.parametrize(
    ("status", "counted", "shown"), [(200, "200", "2xx"), (429, "429", "4xx"), (None, *["aborted"] * 2)]
)
def test_requests_are_counted_by_status_and_timed_by_its_class(status: int | None, counted: str, shown: str) -> None:
    metrics, asked = Metrics(), record()
    asked.status = status
    metrics.count_http_request(asked)
    assert read(metrics, "safevlm_http_requests_total", endpoint="chat", status=counted) == 1
    assert read(metrics, "safevlm_request_duration_seconds_count", endpoint="chat", status=shown) == 1


def test_exemplars_name_the_request_where_the_scraper_accepts_them() -> None:
    metrics, asked = Metrics(), record()
    metrics.record_verdict(asked, verdict(Decision.ALLOWED))
    plain, plain_type = metrics.render_exposition()
    rich, rich_type = metrics.render_exposition("application/openmetrics-text; version=1.0.0")
    assert asked.id in rich.decode()
    assert asked.id not in plain.decode()
    assert (plain_type.partition(";")[0], rich_type.partition(";")[0]) == ("text/plain", "application/openmetrics-text")


@dataclass
class File:
    """The status of a reloaded file."""

    name: str = "policies"
    failure: str | None = None


def test_queues_and_files_are_read_at_each_scrape() -> None:
    metrics, file = Metrics(), File()
    pool = DecodePool(workers=1, expensive_workers=1, cores=CoreShare(1), max_waiting=100, max_memory=100)

    async def scenario(guard: AsyncGuard) -> None:
        metrics.register_sources(guard, pool, [file])
        assert read(metrics, "safevlm_file_stale", file="policies") == 0
        file.failure = "policy.yaml:1: a mapping is needed"
        assert read(metrics, "safevlm_file_stale", file="policies") == 1
        served = {"checkpoint": "fake", "backbone": "included", "device": "cpu", "dtype": "float32"}
        assert read(metrics, "safevlm_model_info", **served) == 1
        text = metrics.render_exposition()[0].decode()
        assert all(f'safevlm_queue_depth{{queue="{queue}"}} 0.0' in text for queue in ("guard", "decode", "generate"))
        assert "safevlm_worker_deaths_total 0.0" in text

    try:
        run_scenario(FakeGuard(), scenario)
    finally:
        pool.close()


def test_two_servers_in_one_process_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    first.record_cache("hit")
    assert read(first, "safevlm_verdict_cache_total", outcome="hit") == 1
    assert read(second, "safevlm_verdict_cache_total", outcome="hit") == 0


def test_pictures_are_counted_by_outcome_and_verdicts_by_what_decided_them() -> None:
    metrics, hiding = Metrics(), Metrics(names_risk=False)
    metrics.record_reading("read", 0.3)
    metrics.record_reading("failed", 0.1)
    assert read(metrics, "safevlm_pictures_read_total", outcome="read") == 1
    assert read(metrics, "safevlm_pictures_read_total", outcome="failed") == 1
    assert read(metrics, "safevlm_reading_seconds_sum") == pytest.approx(0.4)
    verdict = replace(FakeGuard(decision=Decision.REFUSED).assess(GUARD_REQUEST), surface="lettering")
    for counted in (metrics, hiding):
        counted.record_verdict(RequestRecord(endpoint="chat"), verdict)
    assert read(metrics, "safevlm_deciding_surface_total", decision="refused", surface="lettering") == 1
    assert read(hiding, "safevlm_deciding_surface_total", decision="refused", surface="hidden") == 1
