"""How requests are prepared: what is rejected before the model runs, and how much work the rest is."""

import pytest

from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.judging.scored_decision import JudgedInput
from safety_core.engine.messages import MAX_REPLY_CHARACTERS, ReplyRequest
from safety_core.errors import PromptError
from safety_core.inputs.conversation import Turn, compute_max_characters
from safety_core.lettering.reading import Problem
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import NO_VERDICT, Decision
from tests.helpers.engine.guards import change_limits
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.engine.readers import FakeReader
from tests.helpers.engine.requests import create_chat_request, create_guard_request
from tests.helpers.images.pictures import create_picture, create_transparent_picture


def test_room_is_kept_for_the_longest_hint_of_the_policy(guard: Guard) -> None:
    long = ActivePolicy(policy=guard.policy, hints={"privacy": {1: "word " * 120}})
    guard.prepare(create_chat_request(create_picture()))
    with pytest.raises(PromptError, match="leaves no room"):
        guard.prepare(create_chat_request(create_picture(), policy=long))


def test_the_cost_of_a_request_grows_with_what_the_head_hears(guard: Guard) -> None:
    short, long = (
        guard.prepare(create_guard_request(create_picture(), text="It is a house. " * times)).cost for times in (1, 40)
    )
    assert (short, long > 1) == (1, True)
    assert guard.prepare(create_guard_request(create_transparent_picture())).cost == 2


def test_bad_requests_are_the_callers(guard: Guard) -> None:
    guard = change_limits(guard, max_prompt_tokens=3)
    with pytest.raises(PromptError) as caught:
        guard.assess(create_guard_request(text="one two three four five six"))
    assert caught.value.code == "prompt_too_long"
    for text in (None, "", "\u200b"):
        with pytest.raises(PromptError) as caught:
            guard.assess(create_guard_request(text=text))
        assert caught.value.code == "input_empty"
    guard.policy = create_forced_policy(Decision.ALLOWED)
    guard = change_limits(guard, max_prompt_tokens=None)
    with pytest.raises(PromptError) as caught:
        guard.answer(create_chat_request(text="hi", top_p=7.0))
    assert caught.value.param == "top_p"


@pytest.mark.parametrize(
    ("text", "length"), [("x" * 4000, 4000), ("\ufdfa" * 160, 18 * 160)], ids=["as it came", "as it reads"]
)
def test_a_text_too_long_by_its_length_is_refused_before_it_is_tokenised(
    guard: Guard, text: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = change_limits(guard, max_prompt_tokens=10)
    monkeypatch.setattr(guard.model.prompts, "encode_user_words", lambda turns: pytest.fail("it was tokenised"))
    with pytest.raises(PromptError, match=f" {length} characters; at most 160 ") as caught:
        guard.assess(create_guard_request(text=text))
    assert (caught.value.code, caught.value.param) == ("prompt_too_long", "prompt")


def test_a_text_too_long_by_its_length_is_not_even_normalised(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety_core.inputs.conversation.normalise", lambda text: pytest.fail("it was normalised"))
    limit = compute_max_characters(guard.model.prompts.max_prompt_tokens)
    with pytest.raises(PromptError, match=f"at most {limit} "):
        guard.assess(create_guard_request(text="\ufdfa" * (limit + 1)))


def test_complete_replies_are_bounded_and_say_something(guard: Guard) -> None:
    for text, code in ((" ", "input_empty"), ("x" * (MAX_REPLY_CHARACTERS + 1), "prompt_too_long")):
        with pytest.raises(PromptError) as error:
            guard.assess(ReplyRequest(turns=(Turn(role="assistant", text=text),)))
        assert error.value.code == code


def test_a_text_comes_in_the_pieces_in_which_it_would_be_generated(guard: Guard) -> None:
    prompts = guard.model.prompts
    for text in ("A red knife", "Gr\u00f6\u00dfe \u5b57 \U0001f600 ok. ", "", "  two\n\nlines "):
        assert "".join(prompts.split_into_tokens(text)) == text
        assembler = TextAssembler(guard.model.tokenizer)
        made = [assembler.push(token) for token in guard.model.tokenizer(text, add_special_tokens=False)["input_ids"]]
        assert [piece.strip() for piece in prompts.split_into_tokens(text)] == [piece.strip() for piece in made]


def test_lettering_counts_towards_the_cost_and_never_reaches_the_language_model(guard: Guard) -> None:
    reading = Guard(guard.model, guard.policy, reader=FakeReader(texts=["It is a house. " * 60]))
    request = create_chat_request(create_picture())
    plain, lettered = guard.prepare(request), reading.prepare(request)
    assert plain.lettering == ()
    assert plain.work is not None
    assert lettered.work is not None
    assert lettered.work.tokens - plain.work.tokens > sum(len(text.ids) for text in lettered.lettering) > 0
    assert lettered.cost > plain.cost
    assert lettered.text_variants == plain.text_variants
    reading.policy = create_forced_policy(Decision.ALLOWED)
    (judged,) = reading.judge([lettered])
    assert isinstance(judged, JudgedInput)
    assert reading.create_generation_request(judged, request).prompt == guard.model.prompts.encode(request.turns, 1)


@pytest.mark.parametrize("reader", [FakeReader(failure=ValueError("secret")), FakeReader(problem=Problem.TIME)])
def test_without_complete_lettering_there_is_no_verdict_and_the_log_has_no_content(
    guard: Guard, caplog: pytest.LogCaptureFixture, reader: FakeReader
) -> None:
    reader.texts = ["secret"]
    guard = Guard(guard.model, create_forced_policy(Decision.ALLOWED), reader=reader)
    prepared = guard.prepare(create_guard_request(create_picture(), create_picture("blue")))
    assert [reading.outcome.is_complete for reading in prepared.readings] == [False, False]
    (judged,) = guard.judge([prepared])
    assert isinstance(judged, JudgedInput)
    verdict = judged.verdict
    assert (verdict.verdict.decision, verdict.verdict.reason) == (Decision.REFUSED, NO_VERDICT)
    assert (verdict.assessment, verdict.images_scanned) == (None, 0)
    assert "lettering" in caplog.text
    assert "secret" not in caplog.text


def test_lettering_that_would_take_too_long_to_judge_gets_no_verdict(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard(guard.model, create_forced_policy(Decision.ALLOWED), reader=FakeReader(texts=["Mind the gap"]))
    prepared = guard.prepare(create_guard_request(create_picture()))
    tokens = sum(len(text.ids) for text in prepared.lettering)
    for most, exceeded in ((tokens, frozenset[Problem]()), (tokens - 1, {Problem.CHARACTERS})):
        monkeypatch.setattr("safety_core.engine.preparer.MAX_LETTERING_TOKENS", most)
        prepared = guard.prepare(create_guard_request(create_picture()))
        (judged,) = guard.judge([prepared])
        assert isinstance(judged, JudgedInput)
        assert judged.verdict.exceeded == exceeded
        assert (judged.verdict.assessment is None) == bool(exceeded)
    assert "gap" not in caplog.text


def test_a_request_that_is_rejected_is_not_read(guard: Guard) -> None:
    reader = FakeReader()
    guard = Guard(guard.model, guard.policy, reader=reader, limits=GuardLimits(max_prompt_tokens=3))
    with pytest.raises(PromptError):
        guard.prepare(create_guard_request(create_picture(), text="one two three four five six"))
    assert reader.sizes == []
    guard.prepare(create_guard_request(text="one"))
    assert reader.sizes == []
