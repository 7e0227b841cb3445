"""Guards that are altered for a measurement; never use them in production.

Each wraps a guard and implements the protocol that the server expects, so that HTTP, queues and batching stay the same.
"""

from collections.abc import Generator as Coroutine
from collections.abc import Sequence
from dataclasses import replace

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.output_rail import RailedGenerator, ReplyDecision
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardInfo
from safety_core.engine.judging.model_input import ModelInput
from safety_core.engine.judging.scored_decision import JudgedInput
from safety_core.engine.judging.scorer import Scorer
from safety_core.engine.judging.verdicts import build_verdict
from safety_core.engine.messages import ChatRequest, GuardRequest, GuardVerdict
from safety_core.engine.protocols import Closeable, GenerationRequestLike, GeneratorLike, GuardLike
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import decide
from safety_core.scores import PairScores, RiskScores


class ForwardingGuard:
    """Forwards every call to another guard; the base of the guards below.

    Args:
        inner: the other guard.
    """

    def __init__(self, inner: GuardLike) -> None:
        self._inner = inner

    @property
    def info(self) -> GuardInfo:
        """The checkpoint and device of the guard."""
        return self._inner.info

    @property
    def fingerprint(self) -> str:
        """Identifies checkpoint and policy."""
        return self._inner.fingerprint

    @property
    def canary(self) -> GuardRequest:
        """A request whose verdict is known."""
        return self._inner.canary

    def prepare(self, request: GuardRequest) -> PreparedRequest:
        """Preprocess a request."""
        return self._inner.prepare(request)

    def fold_in_process(self) -> Closeable:
        """Undo disguises of long texts in a child process."""
        return self._inner.fold_in_process()

    def use_cores(self, cores: int) -> None:
        """Limit the model to a number of cores."""
        self._inner.use_cores(cores)

    def judge(self, batch: Sequence[PreparedRequest]) -> Sequence[JudgedRequest | Exception]:
        """Judge a batch."""
        return self._inner.judge(batch)

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Coroutine[Work, None, Sequence[JudgedRequest | Exception]]:
        """Judge a batch with pauses."""
        return self._inner.judge_in_slices(batch)

    def create_generation_request(self, judged: JudgedRequest, request: ChatRequest) -> GenerationRequestLike:
        """The generator's input for a reply."""
        return self._inner.create_generation_request(judged, request)

    def create_unguarded_request(self, request: ChatRequest) -> GenerationRequestLike:
        """The generator's input for a reply of the bare language model."""
        return self._inner.create_unguarded_request(request)

    def create_generator(self) -> GeneratorLike:
        """A new generator."""
        return self._inner.create_generator()

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        """What is wrong with a verdict on the canary."""
        return self._inner.find_canary_failure(verdict)


class UnguardedGuard(ForwardingGuard):
    """Allows every request without running the head, and answers without safety tokens.

    Args:
        guard: provides the model, the policy and the limits.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__(guard)
        self._guard = guard
        self._scorer = Scorer(guard.model, max_batch=guard.limits.max_batch)

    def judge(self, batch: Sequence[PreparedRequest]) -> list[JudgedRequest | Exception]:
        """Run only the vision tower, whose features are needed for an answer."""
        inputs = [one for one in batch if isinstance(one, ModelInput)]
        vision, rows_of = self._scorer.encode_views(inputs)
        return [
            JudgedInput(
                verdict=self._build_allowed_verdict(one),
                turns=one.request.turns,
                answerable=isinstance(one.request, ChatRequest),
                images=VisionFeatures((), vision[rows].projected_BPD.clone()) if vision is not None and rows else None,
            )
            for one, rows in zip(inputs, rows_of, strict=True)
        ]

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Coroutine[Work, None, list[JudgedRequest | Exception]]:
        """The verdicts of :meth:`judge`, without a pause."""
        yield from ()
        return self.judge(batch)

    def create_generation_request(self, judged: JudgedRequest, request: ChatRequest) -> GenerationRequestLike:
        """The generator's input for a reply, without safety tokens."""
        return replace(self._guard.create_generation_request(judged, request), inject=False)

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        """Return None, because the verdict on the canary has no meaning here."""
        return None

    def _build_allowed_verdict(self, model_input: ModelInput) -> GuardVerdict:
        taxonomy, policy = self._guard.model.taxonomy, self._guard.policy
        safe = RiskScores(
            types=tuple(float(name == taxonomy.safe_type) for name in taxonomy.types),
            levels=tuple(float(not level) for level in range(len(taxonomy.levels))),
        )
        images = (safe,) * len(model_input.views)
        pair = PairScores(joint=safe, per_image=images, image=safe if images else None, text=safe)
        return build_verdict(policy, taxonomy, model_input.request, pair, decide(policy, taxonomy, safe), safe)


class EndlessGuard(ForwardingGuard):
    """Generates replies of visible tokens only, which end only at their limit.

    The output rail judges these replies and releases all of them, because text beyond the model's own end has no
    meaning.

    Args:
        inner: judges the requests.
        guard: provides the model and the limits.
    """

    def __init__(self, inner: GuardLike, guard: Guard) -> None:
        super().__init__(inner)
        self._guard = guard

    def create_generator(self) -> GeneratorLike:
        """Create a generator without tokens that end a reply or are invisible."""
        model, limits = self._guard.model, self._guard.limits
        generator = Generator(
            model,
            max_replies=limits.max_replies,
            kv_positions=limits.kv_positions,
            eos_ids=(),
            banned_ids=(*model.banned_ids, *model.tokenizer.all_special_ids),
            packed=self._guard.packed,
        )
        if not limits.reply_window:
            return generator
        return RailedGenerator(generator, self._judge_and_release, window=limits.reply_window)

    def _judge_and_release(
        self, replies: Sequence[str], policies: Sequence[ActivePolicy | None]
    ) -> list[ReplyDecision | None]:
        self._guard.decide_replies(replies, policies)
        return [ReplyDecision.RELEASE] * len(replies)
