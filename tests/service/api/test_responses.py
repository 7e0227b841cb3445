"""Replies of our own paths: what each says, and what it hides where risk is not told."""

from dataclasses import replace
from typing import Any

import pytest

from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply
from safety_core.engine.messages import Delta, GuardRequest, GuardVerdict
from safety_core.policy.policy import Decision
from service.api.responses import ResponseBuilder, build_model_list
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.readers import create_lines
from tests.helpers.engine.requests import create_guard_request
from tests.helpers.images.pictures import create_picture

REQUEST = create_guard_request(create_picture(), text="What is it?")
EXPOSED = ("risk", "images", "timings")


def builder(*, expose_risk: bool = True) -> ResponseBuilder:
    record = RequestRecord(endpoint="chat", id="guard-1", decode_ms=1.23456)
    return ResponseBuilder(model="nano", expose_risk=expose_risk, record=record)


def judge(decision: Decision | None = Decision.ALLOWED, request: GuardRequest = REQUEST) -> GuardVerdict:
    return replace(FakeGuard(decision=decision).assess(request), prepare_ms=1.0, queue_ms=2.0, guard_ms=3.0)


def answer(verdict: GuardVerdict) -> Any:
    return build_generated_reply(verdict, FakeSequence(("a", "b"), token_ids=[1, 2]), queue_ms=5.0, generate_ms=7.00049)


def test_a_reply_has_its_text_the_risk_and_where_the_time_went() -> None:
    found = builder().build_chat(answer(judge()))
    assert (found["id"], found["model"], found["decision"]) == ("guard-1", "nano", "allowed")
    assert (found["content"], found["refusal"], found["finish_reason"]) == ("ab", None, "stop")
    assert found["usage"] == {"prompt_tokens": 7, "completion_tokens": 2}
    assert found["timings"] == {"decode_ms": 2.235, "queue_ms": 5.0, "guard_ms": 3.0, "generate_ms": 7.0}
    assert found["risk"]["type"] == "safe"


def test_a_refusal_is_a_reply_with_null_for_its_content() -> None:
    found = builder().build_chat(build_refused_reply(judge(Decision.REFUSED)))
    assert (found["decision"], found["content"], found["finish_reason"]) == ("refused", None, "content_filter")
    assert found["refusal"]


def test_a_classification_has_a_risk_for_each_picture() -> None:
    found = builder().build_classification(judge(Decision.CAUTIONED))
    assert (found["flagged"], found["decision"], len(found["images"])) == (True, "cautioned", 1)
    assert found["timings"] == {"decode_ms": 2.235, "queue_ms": 2.0, "guard_ms": 3.0}


@pytest.mark.parametrize("decision", [*Decision, None])
def test_where_risk_is_not_told_only_the_decision_is(decision: Decision | None) -> None:
    hiding, verdict = builder(expose_risk=False), judge(decision)
    for found in (
        hiding.build_chat(answer(verdict)),
        hiding.build_classification(verdict),
        hiding.build_assessment(verdict),
        hiding.build_guard_fields(verdict, answer(verdict)),
    ):
        assert found["decision"] == verdict.verdict.decision.value
        assert not any(name in found for name in EXPOSED)


def test_without_a_verdict_there_is_no_risk_to_tell() -> None:
    assert "risk" not in builder().build_assessment(judge(None))


def test_a_heatmap_is_there_only_on_request() -> None:
    plain = builder().build_assessment(judge())["risk"]
    assert "heatmap" not in plain
    explained = builder().build_assessment(judge(request=replace(REQUEST, heatmap=True)))["risk"]
    assert explained["heatmap"].startswith("data:image/png;base64,")


def test_messages_that_were_dropped_are_listed_only_if_there_are_any() -> None:
    assert "dropped_messages" not in builder().build_guard_fields(judge())
    found = builder().build_guard_fields(replace(judge(), dropped_messages=(0, 1)))
    assert found["dropped_messages"] == [0, 1]


def test_a_piece_of_a_stream_is_of_the_reply_or_of_a_refusal() -> None:
    assert builder().build_delta(Delta(text="a")) == {"content": "a"}
    assert builder().build_delta(Delta(text="no", refusal=True)) == {"refusal": "no"}


def test_the_one_model_is_listed_with_its_taxonomy() -> None:
    info = FakeGuard().info
    (model,) = build_model_list(info, created=5)["data"]
    assert (model["id"], model["created"], model["owned_by"]) == ("fake", 5, "safevlm")
    assert (model["risk_types"], model["risk_levels"]) == (list(info.taxonomy.types), list(info.taxonomy.levels))


def test_lettering_is_shown_only_with_an_explanation_and_where_risk_is_told() -> None:
    verdict = replace(judge(), lettering=(create_lines("Mind the gap"),))
    shown = builder().build_classification(verdict, explain=True)["lettering"]
    assert shown == [{"image": 0, "lines": [{"text": "Mind the gap", "confidence": 0.9, "box": [0.1, 0.0, 0.9, 0.8]}]}]
    assert "lettering" not in builder().build_classification(verdict)
    assert "lettering" not in builder().build_classification(judge(), explain=True)
    assert "lettering" not in builder(expose_risk=False).build_classification(verdict, explain=True)


def test_the_surface_of_lettering_is_there_only_if_some_was_read() -> None:
    verdict = judge()
    assert verdict.assessment is not None
    assert "lettering" not in builder().build_classification(verdict)["risk"]["surfaces"]
    surfaces = replace(verdict.assessment.surfaces, lettering=0.25)
    read = replace(verdict, assessment=replace(verdict.assessment, surfaces=surfaces))
    assert builder().build_classification(read)["risk"]["surfaces"]["lettering"] == 0.25
