"""What decides on a request, and what is kept for its reply."""

from dataclasses import replace

import pytest

from safety_core.engine.guard import Guard
from safety_core.engine.judging.model_input import LetteringInput, ScoredInput
from safety_core.engine.judging.scored_decision import JudgedInput
from safety_core.engine.messages import GuardRequest
from safety_core.errors import NoVerdictError
from safety_core.inputs.conversation import Turn
from safety_core.lettering.request_texts import LetteringSource
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Action, Decision
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.policies import create_forced_policy
from tests.helpers.engine.requests import create_chat_request, create_guard_request
from tests.helpers.images.pictures import create_picture


def test_only_a_chat_that_may_be_answered_keeps_features(guard: Guard) -> None:
    chat, classification = create_chat_request(create_picture()), create_guard_request(create_picture())
    for policy, kept in (
        (create_forced_policy(Decision.ALLOWED), True),
        (create_forced_policy(Decision.REFUSED), False),
    ):
        guard.policy = policy
        judged, plain = guard.judge([guard.prepare(chat), guard.prepare(classification)])
        assert isinstance(judged, JudgedInput)
        assert isinstance(plain, JudgedInput)
        assert ((judged.images is not None), judged.nbytes > 0) == (kept, kept)
        assert (plain.images, plain.nbytes) == (None, 0)
        for one, request in ((plain, chat), *([] if kept else [(judged, chat)])):
            with pytest.raises(NoVerdictError):
                guard.create_generation_request(one, request)


def test_whole_questions_read_as_one_text_decide_where_risk_is_likely_only(guard: Guard) -> None:
    lowest = {name: {1: 2.0, 2: 2.0, 3: 0.2} for name in guard.policy.thresholds}
    policy = replace(guard.policy, thresholds=lowest, enabled=frozenset(T.risky_types))
    policy = replace(policy, actions={name: {1: Action.ALLOW, 2: Action.ALLOW, 3: Action.REFUSE} for name in lowest})
    questions = ("What is in the picture?", "Yes.", "Explain why the sky is blue.")
    turns = tuple(Turn(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(questions))
    ready = guard.prepare(GuardRequest(turns=turns, policy=ActivePolicy(policy=policy)))
    types = tuple(0.0 if name == T.safe_type else 1 / len(T.risky_types) for name in T.types)

    def scored(belief: float) -> PairScores:
        return PairScores(
            joint=None,
            per_image=(),
            image=None,
            text=RiskScores(types=types, levels=(1 - belief, 0.0, 0.0, belief)),
        )

    others = [scored(0.0)] * (len(ready.text_variants) - 1)
    for first, decision in ((0.3, Decision.ALLOWED), (0.6, Decision.REFUSED)):
        judged = guard.decide(ScoredInput(model_input=ready, vision=None, pairs=(scored(first), *others)))
        assert judged.verdict.verdict.decision is decision
    alone = guard.decide(ScoredInput(model_input=ready, vision=None, pairs=(scored(0.0), scored(0.3), *others[1:])))
    assert alone.verdict.verdict.decision is Decision.REFUSED, "a question by itself decides by its threshold"
    # Lettering decides by its threshold, too, whether or not the joined questions count.
    request = replace(ready.request, images=(create_picture(),))
    text = LetteringInput(ids=(1,), source=LetteringSource(images=(0,)))
    lettered = replace(ready, request=request, lettering=(text,))
    harmless, risky = (RiskScores(types=types, levels=(1 - belief, 0.0, 0.0, belief)) for belief in (0.0, 0.3))
    shown = [replace(one, per_image=(harmless,)) for one in others]
    for first in (0.0, 0.6):
        joined = replace(scored(first), per_image=(harmless,), lettering=(risky,))
        judged = guard.decide(ScoredInput(model_input=lettered, vision=None, pairs=(joined, *shown)))
        assert judged.verdict.verdict.decision is Decision.REFUSED
        assert judged.verdict.surface == "lettering"


def test_without_the_scores_of_all_lettering_there_is_no_verdict(guard: Guard) -> None:
    guard.policy = create_forced_policy(Decision.ALLOWED)
    ready = guard.prepare(create_guard_request(create_picture()))
    (scored,) = guard.score([ready])
    text = LetteringInput(ids=(1,), source=LetteringSource(images=(0,)))
    assert guard.decide(scored).verdict.assessment is not None
    unread = replace(scored, model_input=replace(ready, lettering=(text,)))
    assert guard.decide(unread).verdict.assessment is None
    first, *others = scored.pairs
    broken = replace(first, lettering=(RiskScores(types=(float("nan"),) * 7, levels=(1.0, 0.0, 0.0, 0.0)),))
    assert guard.decide(replace(unread, pairs=(broken, *others))).verdict.assessment is None
