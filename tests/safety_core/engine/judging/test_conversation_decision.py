"""Which turns of a conversation are left out: every rule, with a judge that goes by words and colours."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from safety_core.engine.judging.conversation_decision import (
    ConversationDecision,
    Outcome,
    decide_conversation,
    decide_conversation_async,
)
from safety_core.engine.judging.conversation_rounds import join_messages
from safety_core.engine.judging.verdicts import build_unjudged_verdict
from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest, GuardVerdict
from safety_core.engine.work import JudgedRequest
from safety_core.errors import OverloadedError, PromptError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.policy.policy import Decision, Policy, Verdict
from safety_core.scores import Assessment, Level, Surfaces
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.images.pictures import create_picture

GOOD, BAD, HALF = create_picture("green"), create_picture("red"), create_picture("blue")
REFUSAL = "No."


def user(*texts: str, images: int = 0) -> ClientMessage:
    return ClientMessage(role="user", texts=texts, images=images)


def answer(*texts: str) -> ClientMessage:
    return ClientMessage(role="assistant", texts=texts)


def system(*texts: str) -> ClientMessage:
    return ClientMessage(role="instructions", texts=texts)


def conversation(*messages: ClientMessage, images: Sequence[DecodedImage] = ()) -> ChatRequest:
    return ChatRequest(turns=join_messages(messages), messages=messages, images=tuple(images), seed=7)


class Judge:
    """Refuses BAD words and red pictures, LEFT and RIGHT together, and HALF beside a blue picture."""

    def __init__(self) -> None:
        self.judged: list[GuardRequest] = []

    def __call__(self, requests: Sequence[GuardRequest]) -> list[Outcome]:
        return [self.one(request) for request in requests]

    def one(self, request: GuardRequest) -> Outcome:
        self.judged.append(request)
        words = "\n".join(turn.text for turn in request.turns)
        if words == "UNREADABLE":
            return PromptError("nothing is left of it", code="input_empty")
        if "BROKEN" in words:
            policy = Policy.create_default(DEFAULT_TAXONOMY)
            return JudgedRequest(verdict=build_unjudged_verdict(policy, DEFAULT_TAXONOMY, request))
        refused = "BAD" in words or ("LEFT" in words and "RIGHT" in words)
        refused |= BAD in request.images or (HALF in request.images and "HALF" in words)
        return JudgedRequest(verdict=verdict(request, refused=refused))


def verdict(request: GuardRequest, *, refused: bool) -> GuardVerdict:
    decision = Decision.REFUSED if refused else Decision.ALLOWED
    found = Assessment(
        type="illegal",
        level=Level(index=3, name="unsafe"),
        type_scores={},
        level_scores={},
        surfaces=Surfaces(image=None, text=None, joint=None),
    )
    return GuardVerdict(
        verdict=Verdict(decision=decision, type="illegal", level=3, unsafe_probability=1.0, level_scores={}),
        assessment=found,
        per_image=(found,) * len(request.images),
        images_received=len(request.images),
        images_scanned=len(request.images),
        refusal=REFUSAL if refused else None,
        guard_ms=1.0,
    )


def settled(*messages: ClientMessage, images: Sequence[DecodedImage] = ()) -> ConversationDecision:
    """The decision; whatever the language model may read was judged, as it stands, and was not refused."""
    judge = Judge()
    request = conversation(*messages, images=images)
    found = decide_conversation(request, judge)
    assert len(judge.judged) <= 4 + 2 * len(messages)
    assert max(map(size, judge.judged)) <= size(request)
    if found.judged.verdict.refusal is None:
        accepted_request = found.request
        assert isinstance(accepted_request, ChatRequest)
        assert accepted_request.seed == 7
        assert any((one.turns, one.images) == (accepted_request.turns, accepted_request.images) for one in judge.judged)
        (again,) = Judge()([accepted_request])
        assert isinstance(again, JudgedRequest)
        assert again.verdict.refusal is None
        roles = [turn.role for turn in accepted_request.turns]
        assert roles == ["user" if index % 2 == 0 else "assistant" for index in range(len(roles))]
        assert sum(turn.images for turn in accepted_request.turns) == len(accepted_request.images)
    return found


def size(request: GuardRequest) -> int:
    return len(request.images) + sum(len(turn.text) for turn in request.turns)


def said(found: ConversationDecision) -> list[str]:
    """What the language model may read."""
    assert found.judged.verdict.refusal is None
    return [turn.text for turn in found.request.turns]


def test_a_conversation_that_is_allowed_is_judged_once_and_stays_as_it_is() -> None:
    judge = Judge()
    request = conversation(user("a"), answer("b"), user("c"))
    found = decide_conversation(request, judge)
    assert found.request is request
    assert judge.judged == [request]
    assert found.judged.verdict.dropped_messages == ()


@pytest.mark.parametrize(
    "reply", [answer("No."), answer(), answer(""), answer("Well,", "no.")], ids=["text", "empty", "blank", "parts"]
)
def test_a_refused_turn_is_dropped_with_its_answer_however_the_refusal_is_replayed(reply: ClientMessage) -> None:
    found = settled(user("BAD"), reply, user("Hello!"))
    assert said(found) == ["Hello!"]
    assert found.judged.verdict.dropped_messages == (0, 1)


def test_turns_around_a_refused_one_stay() -> None:
    found = settled(user("a"), answer("b"), user("BAD"), answer("No."), user("c"), answer("d"), user("e"))
    assert said(found) == ["a", "b", "c", "d", "e"]


def test_without_an_answer_between_them_messages_are_one_question() -> None:
    assert settled(user("BAD"), user("c")).judged.verdict.refusal == REFUSAL
    assert said(settled(user("BAD"), user("b"), answer("No."), user("c"))) == ["c"]
    assert said(settled(user("a"), answer(), user("b"))) == ["a\nb"]


def test_the_pictures_of_a_refused_turn_go_with_it_and_all_were_judged() -> None:
    found = settled(
        user("a", images=1),
        answer("b"),
        user("c", images=2),
        answer("No."),
        user("d", images=1),
        images=[GOOD, BAD, HALF, GOOD],
    )
    assert said(found) == ["a", "b", "d"]
    assert found.request.images == (GOOD, GOOD)
    verdict = found.judged.verdict
    assert (verdict.images_received, verdict.images_scanned, len(verdict.per_image)) == (4, 4, 4)


def test_the_last_turn_always_decides() -> None:
    found = settled(user("BAD"), answer("No."), user("a BAD end"))
    assert found.judged.verdict.refusal == REFUSAL
    assert found.judged.verdict.dropped_messages == ()
    shown_again = settled(user("a", images=1), answer("No."), user("c", images=1), images=[BAD, BAD])
    assert shown_again.judged.verdict.refusal == REFUSAL
    assert shown_again.judged.verdict.images_scanned == 2


def test_instructions_outlive_the_turn_that_they_stood_before() -> None:
    found = settled(system("Be brief."), user("BAD"), answer("No."), system("Be kind."), user("c"))
    assert said(found) == ["Be brief.\nBe kind.\nc"]
    (turn,) = found.request.turns
    assert turn.parts == ("Be brief.", "Be kind.", "c")


def test_harmful_instructions_decide_wherever_they_stand() -> None:
    assert settled(system("BAD"), user("a"), answer("b"), user("c")).judged.verdict.refusal == REFUSAL
    assert settled(user("a"), answer("b"), system("BAD"), user("c")).judged.verdict.refusal == REFUSAL
    assert settled(user("a"), system("BAD"), answer("b"), user("c"), answer("d"), user("e")).judged.verdict.refusal


def test_instructions_that_are_harmful_with_each_question_do_not_end_the_conversation() -> None:
    messages = [system("LEFT"), user("RIGHT"), answer("No."), user("RIGHT again"), answer("No."), user("Hello!")]
    assert said(settled(*messages)) == ["LEFT\nHello!"]


def test_harm_that_is_split_over_turns_that_are_kept_decides() -> None:
    assert settled(user("LEFT"), answer("b"), user("RIGHT")).judged.verdict.refusal == REFUSAL
    assert settled(user("LEFT"), answer("RIGHT"), user("go on")).judged.verdict.refusal == REFUSAL


def test_harm_that_is_split_over_a_dropped_and_a_kept_turn_is_never_read_together() -> None:
    found = settled(user("LEFT BAD"), answer("LEFT, sure"), user("RIGHT"))
    assert said(found) == ["RIGHT"]


def test_a_turn_that_was_refused_for_what_came_before_it_is_dropped() -> None:
    found = settled(user("LEFT"), answer("b"), user("RIGHT"), answer("No."), user("Hello!"))
    assert said(found) == ["LEFT", "b", "Hello!"]
    shown = settled(user("a", images=1), answer("b"), user("HALF"), answer("No."), user("Hello!"), images=[HALF])
    assert said(shown) == ["a", "b", "Hello!"]
    assert shown.request.images == (HALF,)
    assert shown.judged.verdict.dropped_messages == (2, 3)


def test_what_an_assistant_is_said_to_have_said_is_judged_unless_its_question_was_refused() -> None:
    assert settled(user("a"), answer("BAD"), user("c")).judged.verdict.refusal == REFUSAL
    assert said(settled(user("BAD"), answer("BAD"), user("c"))) == ["c"]


def test_where_a_turn_has_no_verdict_nothing_has() -> None:
    found = settled(user("BAD", images=1), answer("No."), user("BROKEN"), answer("No."), user("c"), images=[GOOD])
    assert found.judged.verdict.verdict.reason == "no_verdict"
    assert (found.judged.verdict.images_received, found.judged.verdict.images_scanned) == (1, 0)


def test_a_turn_that_cannot_be_judged_alone_stays() -> None:
    assert said(settled(user("UNREADABLE"), answer("b"), user("BAD"), answer("No."), user("c"))) == [
        "UNREADABLE",
        "b",
        "c",
    ]
    with pytest.raises(PromptError):
        settled(user("UNREADABLE"))


def test_turns_without_messages_are_a_chats_history_and_nothing_but_texts_elsewhere() -> None:
    turns = (
        Turn(role="user", text="BAD"),
        Turn(role="assistant", text="No."),
        Turn(role="user", text="c"),
    )
    chat = decide_conversation(
        ChatRequest(turns=turns, images=(BAD,)), Judge()
    )  # no turn names it: it is the first one's
    assert chat.judged.verdict.refusal is None
    assert (chat.request.turns, chat.request.images) == (turns[2:], ())
    assert decide_conversation(GuardRequest(turns=turns), Judge()).judged.verdict.refusal == REFUSAL


def test_any_conversation_reads_nothing_that_was_refused_and_says_the_last_word() -> None:
    rng = Random(5)
    words = ["a", "b", "LEFT", "RIGHT", "BAD", "HALF", ""]
    outcomes = set()
    for _ in range(3000):
        messages = []
        for _ in range(rng.randint(1, 9)):
            role = rng.choice([user, user, answer, answer, system])
            texts = [rng.choice(words) for _ in range(rng.randint(0, 2))]
            messages.append(user(*texts, images=rng.choice([0, 0, 1, 2])) if role is user else role(*texts))
        messages = [user("first"), *messages, user(rng.choice(words[:6]))]
        images = [rng.choice([GOOD, GOOD, HALF, BAD]) for one in messages for _ in range(one.images)]
        found = settled(*messages, images=images)
        last = settled(*[one for one in messages if one.role == "instructions"], messages[-1])
        if last.judged.verdict.refusal is not None:
            assert found.judged.verdict.refusal is not None
        outcomes.add((found.judged.verdict.refusal is None, bool(found.judged.verdict.dropped_messages)))
        if found.judged.verdict.refusal is None:
            kept = [one for index, one in enumerate(messages) if index not in found.judged.verdict.dropped_messages]
            assert join_messages(kept) == found.request.turns
            assert all(one in kept for one in messages if one.role == "instructions")
    assert outcomes == {(True, False), (True, True), (False, False)}


def test_concurrent_judgements_decide_the_same() -> None:
    messages = [system("s"), user("BAD"), answer("No."), user("LEFT"), answer("b"), user("RIGHT"), answer(), user("c")]
    running, together = 0, 0

    async def judge(request: GuardRequest) -> JudgedRequest:
        nonlocal running, together
        running += 1
        together = max(together, running)
        await asyncio.sleep(0)
        running -= 1
        outcome = Judge().one(request)
        if isinstance(outcome, PromptError):
            raise outcome
        assert isinstance(outcome, JudgedRequest)
        return outcome

    found = asyncio.run(decide_conversation_async(conversation(*messages), judge))
    assert found == decide_conversation(conversation(*messages), Judge())
    assert together > 1


def test_a_judgement_that_fails_fails_the_conversation_and_cancels_those_beside_it() -> None:
    cancelled = []

    async def judge(request: GuardRequest) -> JudgedRequest:
        if len(request.turns) > 1:
            return JudgedRequest(verdict=verdict(request, refused=True))
        if request.turns[0].text == "a":
            raise OverloadedError("full")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.append(request)
            raise
        raise AssertionError

    with pytest.raises(OverloadedError):
        asyncio.run(decide_conversation_async(conversation(user("a"), answer("b"), user("c")), judge))
    assert len(cancelled) == 1


def test_a_long_conversation_is_judged_a_few_turns_at_a_time() -> None:
    judge, running, most = Judge(), 0, 0

    async def one(request: GuardRequest) -> JudgedRequest:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        outcome = judge.one(request)
        assert isinstance(outcome, JudgedRequest)
        return outcome

    turns = [message for number in range(30) for message in (user(f"BAD {number}"), answer("no"))]
    found = asyncio.run(decide_conversation_async(conversation(*turns, user("fine")), one))
    assert found.judged.verdict.refusal is None
    assert len(judge.judged) > 30
    assert most <= 8
