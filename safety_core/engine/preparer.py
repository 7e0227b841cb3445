"""Prepares requests for the model: images to pixels, and every variant of the text to token ids.

Runs no model, so requests can be prepared in any thread. Knows only the hints of policies, which occupy positions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.reply_windows import split_windows
from safety_core.engine.generation.unguarded import UnguardedRequest
from safety_core.engine.judging.batch_retry import is_out_of_memory
from safety_core.engine.judging.model_input import LetteringInput, ModelInput, measure_work
from safety_core.engine.judging.variant_decision import Turns
from safety_core.engine.lettering_texts import LetteringEncoder
from safety_core.engine.messages import MAX_REPLY_CHARACTERS, CanaryRequest, ChatRequest, GuardRequest, ReplyRequest
from safety_core.errors import ExhaustedError, GenerationError, InputError, PromptError
from safety_core.inputs.conversation import Turn, check_characters, create_length_error, create_text_variants
from safety_core.inputs.text.folding_process import FoldingProcess
from safety_core.inputs.turn_windows import has_only_whole_questions
from safety_core.lettering.bounded_reader import BoundedReader, PictureReading
from safety_core.lettering.reading import Problem
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.named_policies import Hints

_logger = logging.getLogger(__name__)

HEAD_TOKENS_PER_VIEW = 1024
"""Tokens that the head reads, over all views and text variants, in about the time that the tower takes for one view."""

REPLY_WINDOW = 20
"""Tokens per window of a complete reply, if generated replies are not judged."""

MAX_LETTERING_TOKENS = 16 * 1024
"""Maximum number of tokens of all texts that are judged for the lettering of a request. Pictures full of letters beside
a long prompt would otherwise take minutes on a CPU."""

TextVariants = tuple[tuple[Turns, list[int]], ...]
"""Variants of a text, each with the token ids that the head reads."""


class Preparer:
    """Prepares requests for one model.

    Args:
        model: the model; only its tokenizer and image processor are used.
        max_prompt_tokens: maximum length of the user's text in tokens; the model's own limit if None.
        reply_window: tokens of a window of a complete reply; ``REPLY_WINDOW`` if 0.
        reader: reads the lettering of images; None if it is not read.
    """

    def __init__(
        self,
        model: SafeLlava,
        *,
        max_prompt_tokens: int | None = None,
        reply_window: int = 0,
        reader: BoundedReader | None = None,
    ) -> None:
        self._model = model
        self._max_prompt_tokens = model.prompts.max_prompt_tokens if max_prompt_tokens is None else max_prompt_tokens
        self._reply_window = reply_window or REPLY_WINDOW
        self._reader = reader
        self._lettering = LetteringEncoder(model.prompts)
        if reader is not None:
            self._lettering.load()
        self._own_hint_length = _measure_longest_hint(model, model.hints)

    def fold_in_process(self) -> FoldingProcess:
        """Undo disguises of long texts in a child process until the returned object is closed."""
        process = self._model.prompts.create_folding_process()
        self._model.prompts.folding = process
        return process

    def prepare(self, request: GuardRequest) -> ModelInput:
        """Preprocess images and tokenise text.

        Raises:
            InputError: the text is too long, fills the model's context, or there is neither image nor text.
            ExhaustedError: there was not enough memory.
        """
        try:
            return self._prepare(request)
        except InputError:
            raise
        except Exception as exc:
            if is_out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            _logger.error("no verdict: %s", describe(exc))
            return ModelInput(request=request)

    def prepare_encoded(
        self, turns: Turns, vision: VisionFeatures | None, readings: Sequence[PictureReading] = ()
    ) -> ModelInput:
        """:meth:`prepare` for images whose features and lettering are known, with one view each. Raises InputError."""
        if vision is None or not len(vision):
            return self._prepare(GuardRequest(turns=turns))
        request = GuardRequest(turns=turns)
        variants = self._tokenize_variants(turns)
        lettering = self._encode_lettering(request, readings, variants)
        if isinstance(lettering, ModelInput):
            return lettering
        return ModelInput(
            request=request,
            cost=len(vision),
            readings=tuple(readings),
            text_variants=variants,
            lettering=lettering,
            views=(1,) * len(vision),
            vision=vision,
        )

    def prepare_unguarded(self, request: ChatRequest) -> UnguardedRequest:
        """Prepare a chat for the bare language model, with the limits of a judged chat.

        Of an image with two views the model sees the first: there is no verdict by which to choose.

        Raises:
            InputError: the text is too long, fills the model's context, its turns do not alternate, or an option is out
                of range.
            ExhaustedError: there was not enough memory.
            GenerationError: it cannot be prepared for another reason.
        """
        try:
            check_characters(request.turns, self._max_prompt_tokens)
            words = len(self._model.prompts.encode_user_words(request.turns))
            if words > self._max_prompt_tokens:
                raise create_length_error(words, self._max_prompt_tokens)
            views = [image.views[0] for image in request.images]
            prompt = self._model.prompts.encode(request.turns, len(views))
            self._require_room(len(prompt.input_ids) + len(views) * (self._model.projected_positions - 1))
            return UnguardedRequest(
                prompt=prompt,
                sampling=create_sampling(request),
                stop=request.stop,
                pixels_ICHW=self._model.preprocess_numpy(views) if views else None,
            )
        except InputError:
            raise
        except Exception as exc:
            if is_out_of_memory(exc):
                raise ExhaustedError("there was not enough memory") from None
            _logger.error("an unguarded reply could not be prepared: %s", describe(exc))
            raise GenerationError("the reply could not be generated") from None

    def _prepare(self, request: GuardRequest) -> ModelInput:
        is_reply = isinstance(request, ReplyRequest)
        variants = self._tokenize_replies(request) if is_reply else self._tokenize_variants(request.turns)
        if not request.images and not all(ids for _, ids in variants):
            raise PromptError("There is neither an image nor a text to judge.", code="input_empty", param="prompt")
        if isinstance(request, ChatRequest):
            self._check_room(request, list(dict.fromkeys(turns for turns, _ in variants)))
        if isinstance(request, CanaryRequest) and self._reader is not None:
            failure = self._reader.find_failure()
            if failure is not None:
                _logger.error("no verdict on the canary: %s", failure)
                return ModelInput(request=request)
        readings = [] if self._reader is None or not request.images else self._reader.read(request.images)
        lettering = self._encode_lettering(request, readings, variants)
        if isinstance(lettering, ModelInput):
            return lettering
        views = [view for image in request.images for view in image.views]
        # The head reads each variant with each view, with all views together, and without any.
        reading_cost = self._model.prompt_reader.estimate_cost
        head_tokens = sum(len(ids) * (len(views) + 2) + reading_cost(len(ids)) for _, ids in variants)
        head_tokens += sum(len(text.ids) + reading_cost(len(text.ids)) for text in lettering)
        work = measure_work(
            [ids for _, ids in variants],
            [len(image.views) for image in request.images],
            lettering,
            reading_cost=reading_cost,
            images_alone=self._model.prompts.text_views.images_alone,
        )
        return ModelInput(
            request=request,
            cost=max(1, len(views) + head_tokens // HEAD_TOKENS_PER_VIEW),
            readings=tuple(readings),
            work=work,
            text_variants=variants,
            lettering=lettering,
            joins_questions=not is_reply and has_only_whole_questions(request.turns),
            views=tuple(len(image.views) for image in request.images),
            pixels_VCHW=self._model.preprocess_numpy(views) if views else None,
        )

    def _encode_lettering(
        self, request: GuardRequest, readings: Sequence[PictureReading], variants: TextVariants
    ) -> tuple[LetteringInput, ...] | ModelInput:
        """Encode the lettering of a request; if it was not read completely, or is too long, returns an input that gets
        no verdict."""
        exceeded = frozenset(problem for reading in readings for problem in reading.problems)
        if _is_complete(readings):
            with suppress(PromptError):  # it cannot be encoded within the bounds
                lettering = self._lettering.encode(readings, variants[0][0])
                if sum(len(text.ids) for text in lettering) <= MAX_LETTERING_TOKENS:
                    return lettering
            _logger.error("no verdict: the lettering of all images together is too long")
            exceeded = frozenset({Problem.CHARACTERS})
        return ModelInput(request=request, readings=tuple(readings), exceeded=exceeded)

    def _tokenize_variants(self, turns: Turns) -> TextVariants:
        """Tokenise every variant of a text for the head: a conversation as a whole and turn by turn.

        Duplicate token ids are kept once, for the first variant, which the model reads unless another variant is worse.
        Only the first variant is split into sentences; invisible characters cannot create other sentences.
        """
        check_characters(turns, self._max_prompt_tokens)
        variants: dict[tuple[int, ...], Turns] = {}
        for index, variant in enumerate(create_text_variants(turns)):
            for ids in self._tokenize(variant, sentences=not index):
                variants.setdefault(tuple(ids), variant)
        return tuple((variant, list(ids)) for ids, variant in variants.items())

    def _tokenize_replies(self, request: GuardRequest) -> TextVariants:
        """Tokenise every variant of every window of complete replies, as for the output rail.

        Raises:
            PromptError: there is no text, or more than ``MAX_REPLY_CHARACTERS``.
        """
        texts = [turn.text for turn in request.turns if turn.text.strip()]
        length = sum(map(len, texts))
        if not texts or request.images:
            raise PromptError("There is no reply to judge.", code="input_empty", param="texts")
        if length > MAX_REPLY_CHARACTERS:
            raise create_length_error(length, MAX_REPLY_CHARACTERS, "characters")
        prompts = self._model.prompts
        windows = dict.fromkeys(
            window for text in texts for window in split_windows(prompts.split_into_tokens(text), self._reply_window)
        )
        variants_by_window = prompts.folding.build_reply_variants([window for window in windows if window.strip()])
        variants = dict.fromkeys(variant for window_variants in variants_by_window for variant in window_variants)
        ids = dict.fromkeys(
            tuple(window_variants) for window_variants in prompts.encode_texts(list(variants)) if window_variants
        )
        if not ids:
            raise PromptError("There is no reply to judge.", code="input_empty", param="texts")
        return tuple((request.turns, list(window_variants)) for window_variants in ids)

    def _tokenize(self, turns: Turns, *, sentences: bool) -> list[list[int]]:
        check_characters(turns, self._max_prompt_tokens)  # checked again, because NFKC can expand one character to 18
        ids = self._model.prompts.encode_head_inputs(turns, sentences=sentences)
        longest = max(map(len, ids))
        if longest > self._max_prompt_tokens:
            raise create_length_error(longest, self._max_prompt_tokens)
        return ids

    def _check_room(self, request: ChatRequest, variants: Sequence[Turns]) -> None:
        """Reject a chat that cannot be answered, before anything is judged."""
        create_sampling(request)
        words = max(len(self._model.prompts.encode(turns, len(request.images)).input_ids) for turns in variants)
        hint_length = self._own_hint_length
        if request.policy is not None and request.policy.hints:
            hint_length = max(hint_length, _measure_longest_hint(self._model, request.policy.hints))
        self._require_room(words + hint_length + len(request.images) * (self._model.positions_per_image - 1))

    def _require_room(self, positions: int) -> None:
        """Reject a prompt of so many positions that none is left for a reply."""
        if positions >= self._model.context_length:
            raise PromptError("The prompt leaves no room for a reply.", code="prompt_too_long", param="prompt")


def _is_complete(readings: Sequence[PictureReading]) -> bool:
    """Whether all lettering was read; logs what failed."""
    failed = [reading for reading in readings if not reading.outcome.is_complete]
    for reading in failed:
        _logger.error("no verdict: lettering of an image: %s (%s)", reading.outcome.value, reading.failure)
    return not failed


def create_sampling(request: ChatRequest) -> Sampling:
    """Create the sampling options of a chat; raises InputError if an option is out of range."""
    return Sampling(
        max_new_tokens=request.max_tokens, temperature=request.temperature, top_p=request.top_p, seed=request.seed
    )


def _measure_longest_hint(model: SafeLlava, hints: Hints) -> int:
    """Measure the maximum number of tokens that a hint adds to a prompt."""
    turns = [Turn(role="user", text="")]
    plain = len(model.prompts.encode(turns, 0).input_ids)
    texts = [text for by_level in hints.values() for text in by_level.values()]
    return max((len(model.prompts.encode(turns, 0, hint=text).input_ids) - plain for text in texts), default=0)
