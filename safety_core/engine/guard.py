"""The guard: judges requests with the model's own features, and determines what the language model may read.

Servers, commands, evaluation and audits all use this class, with single requests or batches. The steps of a request:

1. ``prepare`` (``preparer``): images to pixels, every variant of the text to token ids; no model runs;
2. ``score`` (``judging.scorer``): every image of the batch goes through the vision tower once; if an image has two
  views (transparency), the view with the worse score is kept; the head judges the kept views with every text variant;
3. ``decide``: the policy decides on the worst variant, whose views and text the language model will get. The policy is
   the checkpoint's own, unless the request contains an operator's;
4. ``create_generation_request``: not for refused requests, whose reply is the policy's text and for which the language
   model never runs. If the request is cautioned, the hint for its type and level follows the question. Safety tokens
   precede each image's features.

Fail closed: any error before a verdict leads to a refusal without one. ``prepare`` and ``create_generation_request``
may be called in any thread, everything else in the thread that owns the model. Knows no queues and no HTTP.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator as Coroutine
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import torch

from safety_core.engine.canary import Canary, CanaryCheck, draw_canary
from safety_core.engine.exceptions import describe
from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.no_generator import NoGenerator
from safety_core.engine.generation.outcomes import build_generated_reply, build_refused_reply
from safety_core.engine.generation.output_rail import RailedGenerator, ReplyDecision
from safety_core.engine.generation.reply_judge import ReplyJudge
from safety_core.engine.generation.sequences import GenerationRequest
from safety_core.engine.generation.unguarded import ComparedGenerator, UnguardedRequest
from safety_core.engine.guard_info import CheckpointNotes, GuardInfo, GuardLimits
from safety_core.engine.judging.batch_retry import retry_in_parts, retry_slices_in_parts
from safety_core.engine.judging.conversation_decision import ConversationDecision, decide_conversation
from safety_core.engine.judging.image_questions import build_no_image_reply, is_image_missing
from safety_core.engine.judging.model_input import ModelInput, ScoredInput
from safety_core.engine.judging.pace import Pace
from safety_core.engine.judging.scored_decision import JudgedInput, decide_scored, refuse_unjudged
from safety_core.engine.judging.scorer import Scorer
from safety_core.engine.judging.variant_decision import Turns
from safety_core.engine.messages import ChatRequest, GuardRequest, GuardVerdict, Reply, ReplyRequest
from safety_core.engine.preparer import Preparer, create_sampling
from safety_core.engine.work import JudgedRequest, PreparedRequest, Work
from safety_core.errors import ConfigError, ExhaustedError, InputError, JudgeOnlyError, NoVerdictError
from safety_core.inputs.text.folding_process import FoldingProcess
from safety_core.lettering.bounded_reader import BoundedReader, PictureReading
from safety_core.lettering.reading import LetteringReader
from safety_core.model.hints import select_hint
from safety_core.model.llama_step import pack_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_image_side, get_pad_colour
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.named_policies import ActivePolicy, Hints
from safety_core.policy.policy import Policy, decide_worst
from safety_core.scores import PairScores

_logger = logging.getLogger(__name__)


class Guard:
    """Judges and answers requests with one model under one policy.

    Args:
        model: a SafeLlava with its head on, in evaluation mode.
        policy: thresholds, actions and texts, for the model's taxonomy.
        checkpoint: name for ``info``.
        digest: identifies the checkpoint's content; a unique digest if None.
        limits: how much to process at a time.
        canary: a request with a known verdict; a drawn image if None.
        notes: for ``info``: what users are told about the checkpoint.
        reader: reads the lettering of images, which is then judged; None if it is not read.
        pack: whether decoding steps may use packed copies of the weights, where these are worthwhile.

    Raises:
        ConfigError: the model has no head, or the policy is for another taxonomy.
    """

    def __init__(
        self,
        model: SafeLlava,
        policy: Policy,
        *,
        checkpoint: str = "in-memory",
        digest: str | None = None,
        limits: GuardLimits | None = None,
        canary: Canary | None = None,
        notes: CheckpointNotes | None = None,
        reader: LetteringReader | None = None,
        pack: bool = True,
    ) -> None:
        if not model.config.use_head:
            raise ConfigError("a guard needs a model whose safety head is enabled")
        if set(policy.thresholds) != set(model.taxonomy.risky_types):
            raise ConfigError("the risk types of the policy and of the model differ")
        self.model = model
        self.policy = policy
        self._limits = GuardLimits() if limits is None else limits
        self._digest = uuid4().hex if digest is None else digest
        self.packed = pack_quick_step(model.backbone) if pack and model.generates else None
        self._reader = (
            None
            if reader is None
            else BoundedReader(reader, self._limits.reading, concurrent=self._limits.max_readings)
        )
        info = _describe_model(model, policy, checkpoint, side=None if self._reader is None else self._reader.side)
        self._info = info if notes is None else info.add_notes(notes)
        self._canary = CanaryCheck(canary or draw_canary(policy, self._info.pad_colour), model.taxonomy)
        self._threads = torch.get_num_threads()
        self._pace = Pace(max_batch=self._limits.max_batch)
        self._scorer = Scorer(model, max_batch=self._limits.max_batch)
        self._preparer = Preparer(
            model,
            max_prompt_tokens=self._limits.max_prompt_tokens,
            reply_window=self._limits.reply_window,
            reader=self._reader,
        )
        self._reply_judge = ReplyJudge(model, threshold=self._limits.reply_threshold)

    @property
    def limits(self) -> GuardLimits:
        """How much is processed at a time."""
        return self._limits

    @property
    def info(self) -> GuardInfo:
        """The checkpoint and device of the guard."""
        return replace(self._info, policy=self.policy)

    @property
    def fingerprint(self) -> str:
        """Identifies checkpoint, policy and reader: guards with equal fingerprints reach equal verdicts."""
        reader = "" if self._reader is None else f"\n{self._reader.name}"
        return hashlib.sha256(f"{self._digest}\n{self.policy.digest}{reader}".encode()).hexdigest()

    # --- one request, offline ------------------------------------------------------------------------------------

    def assess(self, request: GuardRequest) -> GuardVerdict:
        """Judge a request; the language model does not run.

        Raises:
            InputError: the text is too long, or there is neither image nor text.
            ExhaustedError: there was not enough memory.
        """
        return self._decide_conversation(request).judged.verdict

    def answer(self, request: ChatRequest) -> Reply:
        """Judge a chat, then answer or refuse it.

        Raises:
            InputError: as :meth:`assess`, or an option is out of range.
            EngineError: as :meth:`assess`, the language model failed after the verdict, or the model only judges.
        """
        self._require_generating()
        decision = self._decide_conversation(request)
        judged, readable = decision.judged, decision.request
        if judged.verdict.refusal is not None:
            return build_refused_reply(judged.verdict)
        assert isinstance(readable, ChatRequest), "a part of a chat is a chat"
        if is_image_missing(readable):
            return build_no_image_reply(judged.verdict)
        started = time.perf_counter()
        generator = self.create_generator()
        assert not isinstance(generator, NoGenerator), "checked above"
        sequence = generator.create_sequence(self.create_generation_request(judged, readable))
        generator.admit([sequence])
        while not sequence.done:
            generator.step()
        return build_generated_reply(judged.verdict, sequence, generate_ms=1000 * (time.perf_counter() - started))

    def check_canary(self) -> str | None:
        """Judge the canary; returns what is wrong with its verdict, or None."""
        return self.find_canary_failure(self.assess(self.canary))

    def _decide_conversation(self, request: GuardRequest) -> ConversationDecision:
        return decide_conversation(request, lambda parts: [self._judge_alone(part) for part in parts])

    def _judge_alone(self, request: GuardRequest) -> JudgedRequest | InputError:
        try:
            (judged,) = self.judge([self.prepare(request)])
        except InputError as exc:
            return exc
        if isinstance(judged, Exception):
            raise judged
        return judged

    # --- preparing -----------------------------------------------------------------------------------------------

    def fold_in_process(self) -> FoldingProcess:
        """Undo disguises of long texts in a child process until the returned object is closed."""
        return self._preparer.fold_in_process()

    def prepare(self, request: GuardRequest) -> ModelInput:
        """Preprocess images and tokenise text.

        Raises:
            InputError: the text is too long, fills the model's context, or there is neither image nor text.
            ExhaustedError: there was not enough memory.
        """
        return self._preparer.prepare(request)

    def prepare_encoded(
        self, turns: Turns, vision: VisionFeatures | None, readings: Sequence[PictureReading] = ()
    ) -> ModelInput:
        """:meth:`prepare` for images whose features and lettering are known, with one view each. Raises InputError."""
        return self._preparer.prepare_encoded(turns, vision, readings)

    # --- judging -------------------------------------------------------------------------------------------------

    def use_cores(self, cores: int) -> None:
        """Limit the model to a number of cores; call this in the thread that runs the model."""
        threads = max(1, min(self._threads, cores))
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def judge(self, batch: Sequence[PreparedRequest]) -> list[JudgedRequest | Exception]:
        """Return each request's verdict, or ExhaustedError; any other error leads to a refusal without scores."""
        started = time.perf_counter()
        inputs = [_require_own(prepared) for prepared in batch]
        sound = [prepared for prepared in inputs if prepared.text_variants]
        outcomes = retry_in_parts(self._judge, sound) if sound else []
        return self._collect(inputs, outcomes, 1000 * (time.perf_counter() - started))

    def judge_in_slices(
        self, batch: Sequence[PreparedRequest]
    ) -> Coroutine[Work, None, list[JudgedRequest | Exception]]:
        """Judge as :meth:`judge` does, pass by pass; yields the work done after each pass."""
        inputs = [_require_own(prepared) for prepared in batch]
        sound = [prepared for prepared in inputs if prepared.text_variants]
        work = retry_slices_in_parts(self._judge_in_slices, sound)
        guard_s = 0.0
        outcomes: list[JudgedInput | Exception] = []
        while sound:
            resumed = time.perf_counter()
            try:
                slice_work = next(work)
            except StopIteration as end:
                outcomes = end.value
                break
            finally:  # other work during the pauses does not count
                guard_s += time.perf_counter() - resumed
            yield slice_work
        return self._collect(inputs, outcomes, 1000 * guard_s)

    def _collect(
        self, inputs: Sequence[ModelInput], sound: Sequence[JudgedRequest | Exception], guard_ms: float
    ) -> list[JudgedRequest | Exception]:
        """Assemble the outcome of each request from the outcomes of the requests that could be prepared."""
        outcomes = iter(sound)
        judged: list[JudgedRequest | Exception] = []
        for prepared in inputs:
            outcome = next(outcomes) if prepared.text_variants else self._refuse_unjudged(prepared)
            if isinstance(outcome, ExhaustedError):
                judged.append(outcome)
                continue
            if isinstance(outcome, Exception):
                _logger.error("no verdict: %s", describe(outcome))
                outcome = self._refuse_unjudged(prepared)
            judged.append(replace(outcome, verdict=replace(outcome.verdict, guard_ms=guard_ms)))
        return judged

    def _judge(self, batch: Sequence[ModelInput]) -> list[JudgedInput]:
        return [self.decide(scored) for scored in self.score(batch)]

    def _judge_in_slices(self, batch: Sequence[ModelInput]) -> Coroutine[Work, None, list[JudgedInput]]:
        scored = yield from self._scorer.score_in_slices(batch, self._get_severity, self._pace)
        return [self.decide(scored_input) for scored_input in scored]

    def score(self, batch: Sequence[ModelInput]) -> list[ScoredInput]:
        """Run tower, projector and head on a batch; raises NoVerdictError if the scores of a view are missing."""
        return self._scorer.score(batch, self._get_severity)

    def _get_severity(self, request: GuardRequest, pair: PairScores) -> tuple[int, float]:
        """Compute the sort key of scores by their severity under a request's policy."""
        return decide_worst(self._get_active_policy(request).policy, self.model.taxonomy, pair)[0].severity_key

    def decide(self, scored: ScoredInput) -> JudgedInput:
        """Apply the policy to scores; if any score is missing or not finite, there is no verdict."""
        return decide_scored(scored, self._get_active_policy(scored.model_input.request), self.model.taxonomy)

    def _refuse_unjudged(self, model_input: ModelInput) -> JudgedInput:
        return refuse_unjudged(model_input, self._get_active_policy(model_input.request), self.model.taxonomy)

    def _get_active_policy(self, request: GuardRequest) -> ActivePolicy:
        active = ActivePolicy(policy=self.policy) if request.policy is None else request.policy
        if isinstance(request, ReplyRequest):  # judged by its text only, like a reply during generation
            return replace(active, policy=active.policy.raise_thresholds(self._limits.reply_threshold))
        return active

    # --- answering -----------------------------------------------------------------------------------------------

    def create_generation_request(self, judged: JudgedRequest, request: ChatRequest) -> GenerationRequest:
        """Create the generator's input for the reply to a request that was not refused.

        Raises:
            InputError: an option is out of range.
            NoVerdictError: the request was refused, or never judged as a chat.
            JudgeOnlyError: the model only judges.
        """
        self._require_generating()
        if not isinstance(judged, JudgedInput) or not judged.answerable:
            raise NoVerdictError("a reply needs a verdict that allows it")
        hint = select_hint(self._merge_hints(request), judged.verdict.verdict)
        return GenerationRequest(
            prompt=self.model.prompts.encode(judged.turns, len(request.images), hint=hint),
            images=judged.images,
            sampling=create_sampling(request),
            stop=request.stop,
            policy=request.policy,
        )

    def create_unguarded_request(self, request: ChatRequest) -> UnguardedRequest:
        """Create the generator's input for a reply of the bare language model, without a verdict.

        Raises:
            InputError: as :meth:`prepare`.
            EngineError: as :meth:`prepare`; JudgeOnlyError if the bare language model was not loaded.
        """
        if self.model.bare is None:
            raise JudgeOnlyError("this guard was loaded without the bare language model")
        return self._preparer.prepare_unguarded(request)

    def _require_generating(self) -> None:
        if not self.model.generates:
            raise JudgeOnlyError("this guard was loaded to judge only")

    def create_generator(self) -> Generator | RailedGenerator | ComparedGenerator | NoGenerator:
        """Create a generator for the model, with an output rail if the limits include a reply window, and for the bare
        language model if that was loaded.
        """
        if not self.model.generates:
            return NoGenerator()
        rows, positions = self._limits.max_replies, self._limits.kv_positions
        generator = Generator(self.model, max_replies=rows, kv_positions=positions, packed=self.packed)
        window = self._limits.reply_window
        guarded = RailedGenerator(generator, self.decide_replies, window=window) if window else generator
        bare = self.model.bare
        return guarded if bare is None else ComparedGenerator(guarded, bare, max_replies=rows, kv_positions=positions)

    def decide_replies(
        self, replies: Sequence[str], policies: Sequence[ActivePolicy | None]
    ) -> list[ReplyDecision | None]:
        """Decide on the newest text of each reply under its policy, or under the guard's own if that is None.

        A decision is None if there is no verdict.
        """
        return self._reply_judge.decide(replies, policies, self.policy)

    def _merge_hints(self, request: GuardRequest) -> Hints:
        """Merge the checkpoint's hints with the operator's, which take precedence."""
        model_hints, operator_hints = self.model.hints, {} if request.policy is None else request.policy.hints
        return {
            kind: {**model_hints.get(kind, {}), **operator_hints.get(kind, {})}
            for kind in {*model_hints, *operator_hints}
        }

    # --- the canary ----------------------------------------------------------------------------------------------

    @property
    def canary(self) -> GuardRequest:
        """A request whose verdict is known."""
        return self._canary.request

    def find_canary_failure(self, verdict: GuardVerdict) -> str | None:
        """Describe what is wrong with a verdict on the canary; None if decision and scores are as expected."""
        return self._canary.find_failure(verdict.pair)


def _require_own(prepared: PreparedRequest) -> ModelInput:
    assert isinstance(prepared, ModelInput), "a guard judges requests that it prepared itself"
    return prepared


def _describe_model(model: SafeLlava, policy: Policy, checkpoint: str, *, side: int | None) -> GuardInfo:
    source = model.source
    quantization: Any = getattr(model.backbone.config, "quantization_config", None)
    precision = str(model.backbone.dtype).removeprefix("torch.")
    return GuardInfo(
        checkpoint=checkpoint,
        backbone="included" if source is None or source.hub_id is None else source.hub_id,
        device=str(model.device),
        dtype=precision if quantization is None else f"{precision}+{quantization.quantization_method()}",
        taxonomy=model.taxonomy,
        policy=policy,
        pad_colour=get_pad_colour(model.image_processor),
        image_side=get_image_side(model.image_processor),
        positions_per_image=model.positions_per_image,
        generates=model.generates,
        compares=model.bare is not None,
        reads_lettering=side is not None,
        reading_side=side,
    )
