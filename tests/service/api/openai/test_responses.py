"""Replies in OpenAI's shapes: completions whole and in chunks, and categories of moderations."""

from dataclasses import replace
from typing import Any

import pytest

from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply
from safety_core.engine.messages import GuardVerdict, Reply
from safety_core.policy.policy import Decision
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from service.api.openai.responses import OPENAI_CATEGORIES, SAME_AS, CompletionBuilder, build_moderation
from service.api.responses import ResponseBuilder
from service.settings.values import RefusalIn
from service.telemetry.request_record import RequestRecord
from tests.helpers.engine.fakes import FakeGuard, FakeSequence
from tests.helpers.engine.requests import create_guard_request
from tests.helpers.images.pictures import create_picture


def responses(*, expose_risk: bool = True) -> ResponseBuilder:
    record = RequestRecord(endpoint="completions", id="guard-1")
    return ResponseBuilder(model="nano", expose_risk=expose_risk, record=record)


def completions(refusal_in: RefusalIn = "refusal", **options: Any) -> CompletionBuilder:
    return CompletionBuilder.start(responses(), refusal_in=refusal_in, **options)


def judge(decision: Decision | None = Decision.ALLOWED) -> GuardVerdict:
    return FakeGuard(decision=decision).assess(create_guard_request())


def answer(tokens: int = 2) -> Reply:
    return build_generated_reply(judge(), FakeSequence(("a",) * tokens, token_ids=[1] * tokens), generate_ms=1.0)


REFUSED = build_refused_reply(judge(Decision.REFUSED))


def test_choices_share_the_prompt_and_add_up_their_tokens() -> None:
    found = completions().build_completion([answer(2), answer(3)])
    assert (found["id"], found["object"], found["model"]) == ("guard-1", "chat.completion", "nano")
    assert [choice["message"]["content"] for choice in found["choices"]] == ["aa", "aaa"]
    assert [choice["index"] for choice in found["choices"]] == [0, 1]
    assert found["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert found["safevlm"]["decision"] == "allowed"


@pytest.mark.parametrize(
    ("refusal_in", "content", "refusal"), [("refusal", False, True), ("content", True, False), ("both", True, True)]
)
def test_a_refusal_is_in_the_field_that_the_client_reads_whole_and_in_chunks(
    refusal_in: RefusalIn, content: bool, refusal: bool
) -> None:
    text, builder = REFUSED.refusal, completions(refusal_in)
    message = builder.build_completion([REFUSED])["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (text if content else None, text if refusal else None)
    first = builder.build_first_chunk(0, REFUSED.verdict)["choices"][0]["delta"]
    assert first == ({"role": "assistant", "content": ""} if content else {"role": "assistant"})
    delta = builder.build_text_chunk(0, "No.", is_refusal=True)["choices"][0]["delta"]
    assert delta == {name: "No." for name, there in (("content", content), ("refusal", refusal)) if there}
    assert builder.build_text_chunk(0, "a", is_refusal=False)["choices"][0]["delta"] == {"content": "a"}


def test_the_guards_result_is_in_the_first_chunk_of_the_first_choice_alone() -> None:
    builder = completions()
    chunks = [builder.build_first_chunk(index, judge()) for index in (0, 1)]
    assert [("safevlm" in chunk) for chunk in chunks] == [True, False]
    assert builder.build_last_chunk(1, answer())["choices"][0]["finish_reason"] == "stop"


def test_usage_is_null_in_every_chunk_but_the_last_if_the_client_asked_for_it() -> None:
    asking, plain = completions(usage_in_chunks=True), completions()
    assert asking.build_text_chunk(0, "a", is_refusal=False)["usage"] is None
    assert "usage" not in plain.build_text_chunk(0, "a", is_refusal=False)
    last = asking.build_usage_chunk([answer(2), answer(3)])
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 12)


def moderate(verdict: GuardVerdict, *, expose_risk: bool = True) -> Any:
    (result,) = build_moderation(responses(expose_risk=expose_risk), FakeGuard().info, [verdict])["results"]
    return result


def test_a_category_of_openais_has_the_value_of_our_type_of_the_same_meaning() -> None:
    verdict = judge(Decision.REFUSED)
    assert verdict.assessment is not None
    kind = verdict.verdict.type
    result = moderate(verdict)
    assert set(result["categories"]) == {*OPENAI_CATEGORIES, *T.risky_types}
    named = {kind, SAME_AS[kind]} if kind in SAME_AS else {kind}
    assert {name for name, flagged in result["categories"].items() if flagged} == named
    for name in named:
        assert result["category_scores"][name] == verdict.assessment.type_scores[kind]
    for ours, theirs in SAME_AS.items():
        assert result["category_scores"][ours] == result["category_scores"][theirs]
    assert result["category_scores"]["sexual"] == 0.0, "nothing here looks for it"


@pytest.mark.parametrize("decision", [Decision.ALLOWED, Decision.REFUSED])
def test_where_risk_is_not_told_all_our_categories_look_alike(decision: Decision) -> None:
    result = moderate(judge(decision), expose_risk=False)
    flagged = decision is Decision.REFUSED
    assert result["flagged"] is flagged
    assert {result["categories"][name] for name in T.risky_types} == {flagged}
    assert {result["category_scores"][name] for name in T.risky_types} == {float(flagged)}


def test_categories_are_applied_to_what_was_judged() -> None:
    kind, picture = T.risky_types[0], create_picture()
    for request, kinds in (
        (create_guard_request(text="a"), ["text"]),
        (create_guard_request(picture, text=None), ["image"]),
        (create_guard_request(picture, text="a"), ["text", "image"]),
    ):
        applied = moderate(FakeGuard().assess(request))["category_applied_input_types"]
        assert (applied[kind], applied["sexual"]) == (kinds, [])


def test_messages_that_were_dropped_are_told() -> None:
    reply = answer()
    dropped = replace(reply, verdict=replace(reply.verdict, dropped_messages=(0, 1)))
    assert completions().build_completion([dropped])["safevlm"]["dropped_messages"] == [0, 1]
