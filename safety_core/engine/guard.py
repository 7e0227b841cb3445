"""The guard: judges requests with the model's own features, and says what the model may then answer.

The one orchestrator: servers, commands, evaluation and audits all come through here, alone or in batches. Life of a
request:

1. ``prepare``: pictures to pixels, text to ids, every reading of it (raw and normalised); no model runs;
2. ``score`` (``scoring``): every picture of the batch goes through the vision tower once; of a picture with two views
   (transparency) the one that scores worse stays; the head judges what stays under every reading;
3. ``decide``: the policy decides on the worst reading; its views and its text are what the language model will get.
   It is the checkpoint's own, unless the request brings rules that an operator wrote;
4. ``job``: refused, there is none: the policy's text is the reply, and the language model never runs; cautioned, the
   hint of type and level follows the question. Safety tokens ride in front of each picture's features.

Fail closed: whatever goes wrong before a verdict ends in a refusal without one. ``prepare`` and ``job`` may run in any
thread, the rest in the one that owns the model. Knows no queues and no HTTP.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import torch

from safety_core.engine.canary import Canary, drawn_canary
from safety_core.engine.exceptions import describe
from safety_core.engine.generation.generator import Generator, Job
from safety_core.engine.generation.outcomes import answered, refused
from safety_core.engine.generation.output_rail import Ruling, WatchedGenerator
from safety_core.engine.generation.reply_windows import windows_of
from safety_core.engine.judging.batch_retry import in_parts, in_parts_by_slices, out_of_memory
from safety_core.engine.judging.decision import named_verdict, without_verdict
from safety_core.engine.judging.history import Settled, settle
from safety_core.engine.judging.picture_questions import lacks_picture, no_picture_reply
from safety_core.engine.judging.scorer import Pace, ReadyRequest, Scored, Scorer, work_of
from safety_core.engine.judging.variant_decision import Turns, ruled
from safety_core.engine.messages import (
    MAX_REPLY_CHARACTERS,
    ChatRequest,
    GeneratorLike,
    GuardInfo,
    GuardLimits,
    GuardRequest,
    GuardVerdict,
    Judged,
    Prepared,
    Reply,
    ReplyRequest,
    Work,
)
from safety_core.errors import ConfigError, ExhaustedError, InputError, NoVerdictError, PromptError
from safety_core.inputs.prompts import Turn, asks_whole_questions, check_characters, readings, too_long
from safety_core.inputs.text.folding_process import FoldingProcess
from safety_core.inputs.text.reply_variants import reply_variants
from safety_core.model.hints import select_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.preprocessing import get_image_side, get_pad_colour
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.book import ActivePolicy, Hints
from safety_core.policy.policy import Decision, Policy, decide_worst
from safety_core.scores import PairScores

_logger = logging.getLogger(__name__)

HEAD_TOKENS_PER_VIEW = 1024
"""Tokens that the head processes, over all its inputs, in about the time that one view takes through the tower."""

_JOINED_THRESHOLD = 0.5
"""Least belief with which several whole questions, read as one text, decide: thresholds are set on single questions."""

REPLY_WINDOW = 20
"""Tokens of a window of a complete reply, if the judging of generated replies is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRequest(Judged):
    """A verdict, with what the language model would get."""

    turns: Turns
    """The reading that decided."""

    answerable: bool = False
    """Whether a reply may be made: a chat that was not refused."""

    pictures: VisionFeatures | None = None
    """Features of the pictures, for a chat that may be answered."""


class Guard:
    """One model under one policy.

    Args:
        model: a SafeLlava with its head on, in evaluation mode.
        policy: thresholds, actions and texts, for the model's taxonomy.
        checkpoint: name for ``info``.
        digest: identifies the checkpoint's content; a unique one if None.
        limits: how much at a time.
        canary: a request with a known verdict; a drawn picture where None.
        description: what the checkpoint is suitable and not suitable for.

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
        description: str = "",
    ) -> None:
        if not model.config.use_head:
            raise ConfigError("a guard needs a model whose safety head is on")
        if set(policy.thresholds) != set(model.taxonomy.risky_types):
            raise ConfigError("the policy speaks of other risk types than the model")
        self.model = model
        self.policy = policy
        self.limits = GuardLimits() if limits is None else limits
        self._digest = uuid4().hex if digest is None else digest
        self._info = replace(_info(model, policy, checkpoint), description=description)
        self._canary = canary or drawn_canary(policy, self._info.pad_colour)
        self._canary_before: PairScores | None = None
        self._threads = torch.get_num_threads()
        self._pace = Pace(max_batch=self.limits.max_batch)
        self._own_hint_length = _longest_hint(model, model.hints)

    @property
    def info(self) -> GuardInfo:
        """What it runs on."""
        return replace(self._info, policy=self.policy)

    @property
    def fingerprint(self) -> str:
        """Names checkpoint and policy: equal ones give equal verdicts."""
        return hashlib.sha256(f"{self._digest}\n{self.policy.digest}".encode()).hexdigest()

    # --- one request, offline ------------------------------------------------------------------------------------

    def assess(self, request: GuardRequest) -> GuardVerdict:
        """Judge; the language model never runs.

        Raises:
            InputError: the text is too long, or there is neither picture nor text.
            ExhaustedError: there was not enough memory.
        """
        return self._settled(request).judged.verdict

    def chat(self, request: ChatRequest) -> Reply:
        """Judge, then answer or refuse.

        Raises:
            InputError: as :meth:`assess`, or an option is out of range.
            EngineError: as :meth:`assess`, or the language model failed after the verdict.
        """
        settled = self._settled(request)
        judged, read = settled.judged, settled.request
        if judged.verdict.refusal is not None:
            return refused(judged.verdict)
        assert isinstance(read, ChatRequest), "what is left of a chat is a chat"
        if lacks_picture(read):
            return no_picture_reply(judged.verdict)
        started = time.perf_counter()
        generator = self.generator()
        row = generator.row(self.job(judged, read))
        generator.admit([row])
        while not row.done:
            generator.step()
        return answered(judged.verdict, row, generate_ms=1000 * (time.perf_counter() - started))

    def self_check(self) -> str | None:
        """Judge the canary; None if all is well, else what is wrong."""
        return self.complaint(self.assess(self.canary))

    def _settled(self, request: GuardRequest) -> Settled:
        return settle(request, lambda asked: [self._outcome(one) for one in asked])

    def _outcome(self, request: GuardRequest) -> Judged | InputError:
        try:
            (judged,) = self.judge([self.prepare(request)])
        except InputError as exc:
            return exc
        if isinstance(judged, Exception):
            raise judged
        return judged

    # --- without the model ---------------------------------------------------------------------------------------

    def fold_in_process(self) -> FoldingProcess:
        """Undo disguises of long texts in another process from now on, until what this returns is closed."""
        process = self.model.prompts.folding_process()
        self.model.prompts.folding = process
        return process

    def prepare(self, request: GuardRequest) -> ReadyRequest:
        """Everything about a request that needs no model.

        Raises:
            InputError: the text is too long, fills the model's context, or there is neither picture nor text.
            ExhaustedError: there was not enough memory.
        """
        try:
            return self._prepared(request)
        except InputError:
            raise
        except Exception as exc:
            if out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            _logger.error("no verdict: %s", describe(exc))
            return ReadyRequest(request=request)

    def prepare_seen(self, turns: Turns, vision: VisionFeatures | None) -> ReadyRequest:
        """:meth:`prepare` for pictures that went through the tower before, one view each. Raises InputError."""
        if vision is None or not len(vision):
            return self._prepared(GuardRequest(turns=turns))
        return ReadyRequest(
            request=GuardRequest(turns=turns),
            cost=len(vision),
            readings=self._readings(turns),
            views=(1,) * len(vision),
            vision=vision,
        )

    def _prepared(self, request: GuardRequest) -> ReadyRequest:
        read = self._read_replies(request) if isinstance(request, ReplyRequest) else self._readings(request.turns)
        if not request.images and not all(ids for _, ids in read):
            raise PromptError("There is neither a picture nor a text to judge.", code="input_empty", param="prompt")
        if isinstance(request, ChatRequest):
            self._check_room(request, list(dict.fromkeys(turns for turns, _ in read)))
        views = [view for image in request.images for view in image.views]
        heard = sum(len(ids) for _, ids in read) * (len(views) + 2)  # with each view, with all of them, and alone
        return ReadyRequest(
            request=request,
            cost=max(1, len(views) + heard // HEAD_TOKENS_PER_VIEW),
            work=work_of([ids for _, ids in read], [len(image.views) for image in request.images]),
            readings=read,
            joined=not isinstance(request, ReplyRequest) and asks_whole_questions(request.turns),
            views=tuple(len(image.views) for image in request.images),
            pixels_VCHW=self.model.preprocess_numpy(views) if views else None,
        )

    def _readings(self, turns: Turns) -> tuple[tuple[Turns, list[int]], ...]:
        """Every reading of a text, with what the head reads of it: a conversation as a whole and turn by turn.

        What it would read twice is read once, for the first reading: of equals that one is given to the model anyway.
        Sentences are those that a reader sees, of which marks that nobody sees cannot make others.
        """
        check_characters(turns, self._longest)
        read: dict[tuple[int, ...], Turns] = {}
        for index, reading in enumerate(readings(turns)):
            for ids in self._spoken(reading, sentences=not index):
                read.setdefault(tuple(ids), reading)
        return tuple((reading, list(ids)) for ids, reading in read.items())

    def _read_replies(self, request: ReplyRequest) -> tuple[tuple[Turns, list[int]], ...]:
        """Every variant of every window of complete replies, as judged by the output rail.

        Raises:
            PromptError: there is no text, or more than ``MAX_REPLY_CHARACTERS``.
        """
        texts = [turn.text for turn in request.turns if turn.text.strip()]
        length = sum(map(len, texts))
        if not texts or request.images:
            raise PromptError("There is no reply to judge.", code="input_empty", param="texts")
        if length > MAX_REPLY_CHARACTERS:
            raise too_long(length, MAX_REPLY_CHARACTERS, "characters")
        prompts, size = self.model.prompts, self.limits.reply_window or REPLY_WINDOW
        windows = dict.fromkeys(window for text in texts for window in windows_of(prompts.pieces_of(text), size))
        found = prompts.folding.reply_variants([window for window in windows if window.strip()])
        variants = dict.fromkeys(variant for one in found for variant in one)
        ids = dict.fromkeys(tuple(one) for one in prompts.head_ids_of(list(variants)) if one)
        if not ids:
            raise PromptError("There is no reply to judge.", code="input_empty", param="texts")
        return tuple((request.turns, list(one)) for one in ids)

    @property
    def _longest(self) -> int:
        """Tokens of the longest text accepted."""
        own = self.model.prompts.max_prompt_tokens
        return own if self.limits.max_prompt_tokens is None else self.limits.max_prompt_tokens

    def _spoken(self, turns: Turns, *, sentences: bool) -> list[list[int]]:
        check_characters(turns, self._longest)  # again: NFKC makes up to 18 characters of one
        spoken = self.model.prompts.spoken(turns, sentences=sentences)
        longest = max(map(len, spoken))
        if longest > self._longest:
            raise too_long(longest, self._longest)
        return spoken

    def _check_room(self, request: ChatRequest, read: Sequence[Turns]) -> None:
        """Refuse, before anything is judged, what could not be answered."""
        _sampling(request)
        words = max(len(self.model.prompts.encode(turns, len(request.images)).input_ids) for turns in read)
        positions = words + self._hint_length(request) + len(request.images) * (self.model.positions_per_image - 1)
        if positions >= self.model.context_length:
            raise PromptError("The prompt leaves no room for a reply.", code="prompt_too_long", param="prompt")

    def _hint_length(self, request: GuardRequest) -> int:
        """Tokens that a hint may add to the prompt."""
        if request.rules is None or not request.rules.hints:
            return self._own_hint_length
        return max(self._own_hint_length, _longest_hint(self.model, request.rules.hints))

    # --- judging -------------------------------------------------------------------------------------------------

    def use_cores(self, cores: int) -> None:
        """Limit the model to this number of cores from now on; to be called in the thread that runs it."""
        threads = max(1, min(self._threads, cores))
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)

    def judge(self, batch: Sequence[Prepared]) -> list[Judged | Exception]:
        """Verdicts on a batch, or ExhaustedError; after anything else unexpected, a refusal without scores."""
        started = time.perf_counter()
        sound = [one for one in map(_ready, batch) if one.readings]
        found = in_parts(self._judge, sound) if sound else []
        return self._outcomes(batch, found, 1000 * (time.perf_counter() - started))

    def judge_in_slices(self, batch: Sequence[Prepared]) -> abc.Generator[Work, None, list[Judged | Exception]]:
        """The verdicts of :meth:`judge`, pass by pass: yields the work done after each."""
        sound = [one for one in map(_ready, batch) if one.readings]
        work = in_parts_by_slices(self._judge_in_slices, sound)
        guard_s = 0.0
        found: list[JudgedRequest | Exception] = []
        while sound:
            resumed = time.perf_counter()
            try:
                done = next(work)
            except StopIteration as end:
                found = end.value
                break
            finally:  # what others did during the pauses is theirs
                guard_s += time.perf_counter() - resumed
            yield done
        return self._outcomes(batch, found, 1000 * guard_s)

    def _outcomes(
        self, batch: Sequence[Prepared], sound: Sequence[Judged | Exception], guard_ms: float
    ) -> list[Judged | Exception]:
        """The outcome of each request, from the outcomes of those that could be prepared."""
        found = iter(sound)
        outcomes = [next(found) if one.readings else self._without_verdict(one.request) for one in map(_ready, batch)]
        judged: list[Judged | Exception] = []
        for prepared, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, ExhaustedError):
                judged.append(outcome)
                continue
            if isinstance(outcome, Exception):
                _logger.error("no verdict: %s", describe(outcome))
                outcome = self._without_verdict(prepared.request)
            judged.append(replace(outcome, verdict=replace(outcome.verdict, guard_ms=guard_ms)))
        return judged

    def _judge(self, batch: Sequence[ReadyRequest]) -> list[JudgedRequest]:
        return [self.decide(scored) for scored in self.score(batch)]

    def _judge_in_slices(self, batch: Sequence[ReadyRequest]) -> abc.Generator[Work, None, list[JudgedRequest]]:
        scorer = Scorer(self.model, max_batch=self.limits.max_batch)
        scored = yield from scorer.score_in_slices(batch, self._gravity, self._pace)
        return [self.decide(one) for one in scored]

    def score(self, batch: Sequence[ReadyRequest]) -> list[Scored]:
        """Tower, projector and head over a batch; raises NoVerdictError where a view got lost."""
        return Scorer(self.model, max_batch=self.limits.max_batch).score(batch, self._gravity)

    def _gravity(self, request: GuardRequest, pair: PairScores) -> tuple[int, float]:
        """Sort key: how severe scores are under a request's policy."""
        return decide_worst(self._rules(request).policy, self.model.taxonomy, pair)[0].severity_key

    def decide(self, scored: Scored) -> JudgedRequest:
        """The policy's word on scores; a request whose scores are not all there, or not finite, has no verdict.

        Policies without consequences are asked about the same scores. Of a transparent picture they get the view that
        stayed, which is the one that the policy in force finds worse.
        """
        request, taxonomy = scored.ready.request, self.model.taxonomy
        rules = self._rules(request)
        read = [(turns, pair) for (turns, _), pair in zip(scored.ready.readings, scored.pairs, strict=True)]
        if scored.ready.joined and len(read) > 1:
            likely = rules.policy.raise_thresholds(_JOINED_THRESHOLD)
            if decide_worst(likely, taxonomy, read[0][1])[0].decision is Decision.ALLOWED:
                read = read[1:]
        pairs = tuple(pair for _, pair in read)
        worst, others = ruled(rules, taxonomy, [turns for turns, _ in read], pairs)
        judged = min(len(pair.per_image) for pair in scored.pairs)
        if worst.scores is None or judged != len(request.images):
            _logger.error("no verdict: scores not finite, or of %d of %d pictures only", judged, len(request.images))
            return self._without_verdict(request)
        public = replace(
            named_verdict(rules.policy, taxonomy, request, worst.pair, worst.verdict, worst.scores),
            readings=pairs,
            others=others,
        )
        answerable = isinstance(request, ChatRequest) and public.refusal is None
        pictures = None
        if answerable and scored.vision is not None:
            # A copy of what the language model reads: a slice would keep the whole batch alive while it answers.
            pictures = VisionFeatures((), scored.vision.projected_BPD.clone())
        return JudgedRequest(
            verdict=public,
            answerable=answerable,
            nbytes=0 if pictures is None else pictures.projected_BPD.nbytes,
            turns=worst.turns,
            pictures=pictures,
        )

    def _without_verdict(self, request: GuardRequest) -> JudgedRequest:
        verdict = without_verdict(self._rules(request).policy, self.model.taxonomy, request)
        return JudgedRequest(verdict=verdict, turns=request.turns)

    def _rules(self, request: GuardRequest) -> ActivePolicy:
        rules = ActivePolicy(policy=self.policy) if request.rules is None else request.rules
        if isinstance(request, ReplyRequest):  # judged by their words alone, as while they are being generated
            return replace(rules, policy=rules.policy.raise_thresholds(self.limits.reply_threshold))
        return rules

    # --- answering -----------------------------------------------------------------------------------------------

    def job(self, judged: Judged, request: ChatRequest) -> Job:
        """What a generator needs to answer a request that was not refused.

        Raises:
            InputError: an option is out of range.
            NoVerdictError: it was refused, or never judged as a chat.
        """
        if not isinstance(judged, JudgedRequest) or not judged.answerable:
            raise NoVerdictError("a reply needs a verdict that allows it")
        hint = select_hint(self._hints(request), judged.verdict.verdict)
        return Job(
            prompt=self.model.prompts.encode(judged.turns, len(request.images), hint=hint),
            pictures=judged.pictures,
            sampling=_sampling(request),
            stop=request.stop,
            rules=request.rules,
        )

    def generator(self) -> GeneratorLike:
        """A new generator over the model, its replies watched where the limits say so."""
        generator = Generator(self.model, max_replies=self.limits.max_replies, kv_positions=self.limits.kv_positions)
        if not self.limits.reply_window:
            return generator
        return WatchedGenerator(generator, self.rulings_on, window=self.limits.reply_window)

    def rulings_on(self, replies: Sequence[str], rules: Sequence[ActivePolicy | None]) -> list[Ruling | None]:
        """What becomes of some replies: a reply that its policy refuses, by its words alone, must not be said.

        Args:
            replies: what was said of each.
            rules: what each is judged by; the guard's own policy where None.

        Returns:
            A ruling on each, None where there is no verdict.
        """
        found = in_parts(self._ruled, list(zip(replies, rules, strict=True)))
        for outcome in found:
            if isinstance(outcome, Exception):
                _logger.error("a reply was not judged: %s", describe(outcome))
        return [None if isinstance(outcome, Exception) else outcome for outcome in found]

    def _ruled(self, replies: Sequence[tuple[str, ActivePolicy | None]]) -> list[Ruling]:
        prompts = self.model.prompts
        read = [reply_variants(reply, prompts.without_template, prompts.lexicon) for reply, _ in replies]
        variants = list(dict.fromkeys(text for texts in read for text in texts))
        ids = dict(zip(variants, self.model.prompts.head_ids_of(variants), strict=True))
        asked = list(dict.fromkeys(tuple(one) for one in ids.values() if one))
        scores = dict(zip(asked, self.model.score_samples(None, [()] * len(asked), asked), strict=True))
        policies = {id(one): (self.policy if one is None else one.policy) for _, one in replies}
        raised = {one: policy.raise_thresholds(self.limits.reply_threshold) for one, policy in policies.items()}
        rulings = []
        for (_, rules), texts in zip(replies, read, strict=True):
            pairs = [scores[tuple(ids[text])] for text in texts if ids[text]]
            judged = [decide_worst(raised[id(rules)], self.model.taxonomy, pair) for pair in pairs]
            if not judged or any(found is None for _, found in judged):
                raise NoVerdictError("a reply's scores are not finite")
            if all(verdict.decision is not Decision.REFUSED for verdict, _ in judged):
                rulings.append(Ruling.SAY)
            else:
                rulings.append(Ruling.CUT if rules is None or rules.enforced else Ruling.WOULD_CUT)
        return rulings

    def _hints(self, request: GuardRequest) -> Hints:
        """The checkpoint's hints, with those of the operator in their place."""
        own, theirs = self.model.hints, {} if request.rules is None else request.rules.hints
        return {kind: {**own.get(kind, {}), **theirs.get(kind, {})} for kind in {*own, *theirs}}

    # --- the canary ----------------------------------------------------------------------------------------------

    @property
    def canary(self) -> GuardRequest:
        """A request whose verdict is known."""
        return self._canary.request

    def complaint(self, verdict: GuardVerdict) -> str | None:
        """None if this is the canary's known verdict, else what is wrong; later scores are held against the first."""
        complaint = self._canary.complaint(self.model.taxonomy, verdict.pair, self._canary_before)
        if complaint is None and self._canary_before is None:
            self._canary_before = verdict.pair
        return complaint


def _ready(prepared: Prepared) -> ReadyRequest:
    assert isinstance(prepared, ReadyRequest), "a guard judges what it prepared itself"
    return prepared


def _sampling(request: ChatRequest) -> Sampling:
    return Sampling(
        max_new_tokens=request.max_tokens, temperature=request.temperature, top_p=request.top_p, seed=request.seed
    )


def _longest_hint(model: SafeLlava, hints: Hints) -> int:
    """Tokens that a hint adds to a prompt, at most."""
    turns = [Turn(role="user", text="")]
    plain = len(model.prompts.encode(turns, 0).input_ids)
    texts = [text for by_level in hints.values() for text in by_level.values()]
    return max((len(model.prompts.encode(turns, 0, hint=text).input_ids) - plain for text in texts), default=0)


def _info(model: SafeLlava, policy: Policy, checkpoint: str) -> GuardInfo:
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
    )
