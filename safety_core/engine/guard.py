"""The guard: judges a request with the model's own features, then refuses or lets the model answer.

Life of a request:

1. every view of every picture goes through the vision tower, once;
2. of a picture with two views (transparency) the one that scores worse stays, of a text with two readings (raw and
   normalised) likewise: what is kept is what the language model will get;
3. the policy decides on the worst of all that the head said about these;
4. refused: the policy's text, and the language model never runs; cautioned: the hint of type and level follows the
   question; otherwise the plain question. Safety tokens ride in front of each picture's features.

Fail closed: whatever goes wrong before a verdict ends in a refusal without one. Not thread-safe: one thread owns a
guard. Knows no HTTP.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from safety_core.engine.canary import Canary, drawn_canary
from safety_core.engine.faults import describe
from safety_core.engine.messages import (
    ChatRequest,
    Delta,
    Event,
    GuardInfo,
    GuardRequest,
    GuardVerdict,
    Reply,
    ShouldStop,
)
from safety_core.engine.naming import named_verdict, without_verdict
from safety_core.errors import ConfigError, GenerationError, InputError, NoVerdictError, PromptError
from safety_core.images import Colour
from safety_core.model.hints import hint_for
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision import VisionFeatures
from safety_core.policy import Policy, Verdict, decide_worst
from safety_core.prompts import Turn, check_characters, readings, too_long
from safety_core.types import PairScores, RiskScores

_logger = logging.getLogger(__name__)

Turns = tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A verdict with what generation reuses: the features and the reading of the text that were judged."""

    verdict: GuardVerdict
    vision: VisionFeatures | None
    turns: Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One reading of the text, judged together with the kept views of the pictures."""

    turns: Turns
    pair: PairScores
    verdict: Verdict
    scores: RiskScores


class Guard:
    """One model under one policy.

    Args:
        model: a SafeLlava with its head on, in evaluation mode.
        policy: thresholds, actions and texts; it must speak of the model's taxonomy.
        checkpoint: name for ``info``.
        max_prompt_tokens: longest text accepted, in tokens of the users' words; the model's own limit where None.
        canary: what :meth:`self_check` judges; a drawn picture where None.

    Raises:
        ConfigError: the model has no head, or the policy is for another taxonomy.
    """

    def __init__(
        self,
        model: SafeLlava,
        policy: Policy,
        *,
        checkpoint: str = "in-memory",
        max_prompt_tokens: int | None = None,
        canary: Canary | None = None,
    ) -> None:
        if not model.config.use_head:
            raise ConfigError("a guard needs a model whose safety head is on")
        if set(policy.thresholds) != set(model.taxonomy.risky_types):
            raise ConfigError("the policy speaks of other risk types than the model")
        self.model = model
        self.policy = policy
        self.max_prompt_tokens = max_prompt_tokens
        self._info = _info(model, checkpoint)
        self._canary = canary or drawn_canary(policy, self._info.pad_colour)
        self._canary_before: PairScores | None = None

    @property
    def info(self) -> GuardInfo:
        """What it runs on."""
        return self._info

    def assess(self, request: GuardRequest) -> GuardVerdict:
        """Judge; the language model never runs.

        Raises:
            InputError: the text is too long, or there is neither picture nor text.
        """
        return self._judge(request).verdict

    def chat(self, request: ChatRequest) -> Reply:
        """Judge, then answer or refuse.

        Raises:
            InputError: as :meth:`assess`, or an option is out of range.
            GenerationError: the language model failed after the verdict.
        """
        for event in self.stream(request, should_stop=lambda: False):
            if isinstance(event, Reply):
                return event
        raise AssertionError("a stream that nobody stopped ended without a reply")

    def stream(self, request: ChatRequest, should_stop: ShouldStop) -> Iterator[Event]:
        """:meth:`chat`, event by event: the verdict, pieces of text, the reply.

        Once ``should_stop`` says so the stream ends, without a reply. Raises as :meth:`chat` does.
        """
        judged = self._judge(request)
        yield judged.verdict
        if judged.verdict.refusal is not None:
            yield Delta(text=judged.verdict.refusal, refusal=True)
            yield Reply(
                verdict=judged.verdict,
                content=None,
                refusal=judged.verdict.refusal,
                finish_reason="content_filter",
            )
            return
        try:
            yield from self._generate(request, judged, should_stop)
        except InputError:
            raise
        except Exception as exc:
            _logger.error("generation failed: %s", describe(exc))
            raise GenerationError("the reply could not be made") from exc

    def self_check(self) -> str | None:
        """Judge the canary; None if all is well, else what is wrong."""
        pair = self.assess(self._canary.request).pair
        complaint = self._canary.complaint(self.model.taxonomy, pair, self._canary_before)
        if complaint is None and self._canary_before is None:
            self._canary_before = pair
        return complaint

    # --- judging -------------------------------------------------------------------------------------------------

    def _judge(self, request: GuardRequest) -> _Judged:
        """Verdict on a request; anything unexpected is one without scores, which refuses."""
        started = time.perf_counter()
        try:
            judged = self._judge_or_raise(request)
        except InputError:
            raise
        except Exception as exc:
            _logger.error("no verdict: %s", describe(exc))
            judged = _Judged(
                verdict=without_verdict(self.policy, self.model.taxonomy, request), vision=None, turns=request.turns
            )
        guard_ms = 1000 * (time.perf_counter() - started)
        return replace(judged, verdict=replace(judged.verdict, guard_ms=guard_ms))

    def _judge_or_raise(self, request: GuardRequest) -> _Judged:
        check_characters(request.turns, self._longest)
        read = [(turns, self._head_ids(turns)) for turns in readings(request.turns)]
        if not request.images and not all(ids for _, ids in read):
            raise PromptError("There is neither a picture nor a text to judge.", code="input_empty", param="prompt")
        vision = self._kept_views(request, [ids for _, ids in read])
        worst = max(
            (self._read(turns, ids, vision, request) for turns, ids in read),
            key=lambda reading: reading.verdict.gravity,
        )
        public = named_verdict(self.policy, self.model.taxonomy, request, worst.pair, worst.verdict, worst.scores)
        return _Judged(verdict=public, vision=vision, turns=worst.turns)

    @property
    def _longest(self) -> int:
        """Tokens of the longest text accepted."""
        return self.model.prompts.max_prompt_tokens if self.max_prompt_tokens is None else self.max_prompt_tokens

    def _head_ids(self, turns: Turns) -> list[int]:
        check_characters(turns, self._longest)  # again: NFKC makes up to 18 characters of one
        ids = self.model.prompts.head_ids(turns)
        if len(ids) > self._longest:
            raise too_long(len(ids), self._longest)
        return ids

    def _kept_views(self, request: GuardRequest, prompts: Sequence[list[int]]) -> VisionFeatures | None:
        """Features of one view per picture: where there are two, of the one that scores worse under any reading."""
        views: list[Image.Image] = [view for image in request.images for view in image.views]
        if not views:
            return None
        vision = self.model.encode_images(self.model.preprocess(views))
        if len(vision) != len(views):
            raise NoVerdictError(f"{len(vision)} of {len(views)} views went through the vision tower")
        if len(views) == len(request.images):
            return vision
        alone = [self.model.score(vision, [1] * len(views), [ids] * len(views)) for ids in prompts]
        gravity = [max(self._gravity(pair) for pair in pairs) for pairs in zip(*alone, strict=True)]
        kept, start = [], 0
        for image in request.images:
            kept.append(max(range(start, start + len(image.views)), key=gravity.__getitem__))
            start += len(image.views)
        return vision[kept]

    def _read(self, turns: Turns, ids: list[int], vision: VisionFeatures | None, request: GuardRequest) -> _Reading:
        pair = self.model.score(vision, [len(request.images)], [ids], heatmap=request.heatmap)[0]
        if len(pair.per_image) != len(request.images):
            raise NoVerdictError(f"{len(pair.per_image)} of {len(request.images)} pictures were judged")
        verdict, scores = decide_worst(self.policy, self.model.taxonomy, pair)
        if scores is None:
            raise NoVerdictError("the head's scores are not finite")
        return _Reading(turns=turns, pair=pair, verdict=verdict, scores=scores)

    def _gravity(self, pair: PairScores) -> tuple[int, float]:
        return decide_worst(self.policy, self.model.taxonomy, pair)[0].gravity

    # --- answering -----------------------------------------------------------------------------------------------

    def _generate(self, request: ChatRequest, judged: _Judged, should_stop: ShouldStop) -> Iterator[Event]:
        started = time.perf_counter()
        prompt = self.model.prompts.encode(
            judged.turns, len(request.images), hint=hint_for(self.model.hints, judged.verdict.verdict)
        )
        stream = self.model.stream(
            prompt,
            judged.vision,
            max_new_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            seed=request.seed,
            should_stop=should_stop,
        )
        for piece in stream:
            yield Delta(text=piece)
        result = stream.result
        assert result is not None, "a stream ended without a result"
        if result.finish_reason == "cancelled":
            return
        positions = 0 if judged.vision is None else len(judged.vision) * (self._positions_per_image(judged.vision) - 1)
        yield Reply(
            verdict=judged.verdict,
            content=result.text,
            refusal=None,
            finish_reason=result.finish_reason,
            prompt_tokens=len(prompt.input_ids) + positions,
            completion_tokens=len(result.token_ids),
            generate_ms=1000 * (time.perf_counter() - started),
        )

    def _positions_per_image(self, vision: VisionFeatures) -> int:
        tokens = self.model.safety.llm_tokens_SD
        return vision.projected_BPD.shape[1] + (0 if tokens is None else len(tokens))


def _info(model: SafeLlava, checkpoint: str) -> GuardInfo:
    source = model.source
    quantization: Any = getattr(model.backbone.config, "quantization_config", None)
    precision = str(model.backbone.dtype).removeprefix("torch.")
    return GuardInfo(
        checkpoint=checkpoint,
        backbone="included" if source is None or source.hub_id is None else source.hub_id,
        device=str(model.device),
        dtype=precision if quantization is None else f"{precision}+{quantization.quantization_method()}",
        taxonomy=model.taxonomy,
        pad_colour=pad_colour(model.image_processor),
    )


def pad_colour(image_processor: Any) -> Colour:
    """The mean colour in 0..255 with which pictures for this image processor are padded."""
    red, green, blue = (int(255 * mean) for mean in image_processor.image_mean)
    return red, green, blue
