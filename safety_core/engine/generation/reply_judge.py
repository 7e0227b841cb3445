"""Judges parts of replies for the output rail: only their text, in every variant."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.output_rail import ReplyDecision
from safety_core.engine.judging.batch_retry import retry_in_parts
from safety_core.errors import NoVerdictError
from safety_core.inputs.text.reply_variants import build_reply_variants
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, Policy, decide_worst

_logger = logging.getLogger(__name__)

_JudgedReply = tuple[str, Policy, bool]
"""A text, the policy for judging it, and whether the policy is enforced."""


class ReplyJudge:
    """Judges replies with one model.

    Args:
        model: a SafeLlava with its head on.
        threshold: minimum refusal threshold, even if the policy's is lower: scores from text alone are less reliable.
    """

    def __init__(self, model: SafeLlava, *, threshold: float) -> None:
        self._model = model
        self._threshold = threshold

    def decide(
        self, replies: Sequence[str], policies: Sequence[ActivePolicy | None], default: Policy
    ) -> list[ReplyDecision | None]:
        """Decide on the newest text of some replies.

        Args:
            replies: the texts.
            policies: the policy for each text.
            default: the policy for a text whose policy is None; it is enforced.

        Returns:
            A decision on each text; None if there is no verdict.
        """
        judged: list[_JudgedReply] = [
            (text, default, True) if policy is None else (text, policy.policy, policy.enforced)
            for text, policy in zip(replies, policies, strict=True)
        ]
        decisions = retry_in_parts(self._decide, judged)
        for outcome in decisions:
            if isinstance(outcome, Exception):
                _logger.error("a reply was not judged: %s", describe(outcome))
        return [None if isinstance(outcome, Exception) else outcome for outcome in decisions]

    def _decide(self, replies: Sequence[_JudgedReply]) -> list[ReplyDecision]:
        prompts = self._model.prompts
        variants_of = [
            build_reply_variants(text, prompts.remove_template_words, prompts.lexicon) for text, _, _ in replies
        ]
        variants = list(dict.fromkeys(text for texts in variants_of for text in texts))
        ids = dict(zip(variants, prompts.encode_texts(variants), strict=True))
        distinct = list(dict.fromkeys(tuple(one) for one in ids.values() if one))
        scores = dict(zip(distinct, self._model.score_samples(None, [()] * len(distinct), distinct), strict=True))
        policies = {id(policy): policy for _, policy, _ in replies}
        raised = {key: policy.raise_thresholds(self._threshold) for key, policy in policies.items()}
        decisions = []
        for (_, policy, enforced), texts in zip(replies, variants_of, strict=True):
            pairs = [scores[tuple(ids[text])] for text in texts if ids[text]]
            judged = [decide_worst(raised[id(policy)], self._model.taxonomy, pair) for pair in pairs]
            if not judged or any(found is None for _, found in judged):
                raise NoVerdictError("a reply's scores are not finite")
            if all(verdict.decision is not Decision.REFUSED for verdict, _ in judged):
                decisions.append(ReplyDecision.RELEASE)
            else:
                decisions.append(ReplyDecision.CUT if enforced else ReplyDecision.WOULD_CUT)
        return decisions
