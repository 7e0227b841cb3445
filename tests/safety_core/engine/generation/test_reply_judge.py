"""How the output rail judges texts: by which policy and threshold, and what happens without scores."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from safety_core.engine.generation.output_rail import ReplyDecision
from safety_core.engine.guard import Guard
from safety_core.inputs.conversation import Turn
from safety_core.policy.policy import Decision
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.guards import change_limits
from tests.helpers.engine.policies import create_forced_policy


def test_replies_need_their_own_threshold_too(guard: Guard) -> None:
    guard.policy = create_forced_policy(Decision.REFUSED)
    guard = change_limits(guard, reply_threshold=1.0)
    assert guard.decide_replies(["a reply"], [None]) == [ReplyDecision.RELEASE]
    guard = change_limits(guard, reply_threshold=0.0)
    assert guard.decide_replies(["a reply", "another"], [None, None]) == [ReplyDecision.CUT, ReplyDecision.CUT]


def test_one_reply_without_scores_fails_alone(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.policy = create_forced_policy(Decision.ALLOWED)
    score = guard.model.score_samples
    cursed = guard.model.prompts.encode_user_words([Turn(role="user", text="cursed")])

    def nan(safe: Any, rows: Any, ids: Sequence[Sequence[int]], **kwargs: Any) -> Any:
        pairs = score(safe, rows, ids, **kwargs)
        unfit = RiskScores(types=(float("nan"),) * len(T.types), levels=(float("nan"),) * len(T.levels))
        bad = [list(one) == cursed for one in ids]
        return [replace(pair, text=unfit) if is_bad else pair for pair, is_bad in zip(pairs, bad, strict=True)]

    monkeypatch.setattr(guard.model, "score_samples", nan)
    assert guard.decide_replies(["fine", "cursed", "fine too"], [None] * 3) == [
        ReplyDecision.RELEASE,
        None,
        ReplyDecision.RELEASE,
    ]
