"""Generates several replies together by continuous batching: sequences join and leave between any two steps.

A sequence joins with one prefill of its own prompt; from then on every step generates one token of every running
sequence in one forward pass. Each sequence samples from its own random source. One thread owns a generator; it does not
know verdicts, queues and clients.
Shapes: R running sequences · T positions of the longest joining prompt · D LLM width · W vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.kv_cache import KVCache
from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence, count_prompt_positions
from safety_core.engine.generation.stop_strings import StopStrings
from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.engine.judging.batch_retry import is_out_of_memory, retry_in_parts
from safety_core.engine.protocols import GenerationRequestLike, ReplySequenceLike, StepOutput
from safety_core.errors import ExhaustedError, GenerationError, PromptError, SafeVLMError
from safety_core.model.layer_products import PackedModel
from safety_core.model.llama_step import CACHE_ARGUMENT, has_quick_step, run_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import choose_tokens, create_random_source
from safety_core.model.vision.tower import VisionFeatures

_logger = logging.getLogger(__name__)

_LENGTH_STEP = 64
"""The length of the cache is a multiple of this number of positions, so that it rarely changes."""

_KEPT_BYTES = 16 << 20
"""Bytes of keys and values that may stay allocated while no sequence runs; freeing fewer is not worthwhile."""

Output = StepOutput[ReplySequence]


class Generator:
    """Generates replies with one model.

    Args:
        model: the model; only the text half of its backbone runs.
        max_replies: maximum number of running sequences.
        kv_positions: maximum size of the KV cache: sequences times positions of the longest; a single sequence may
            exceed it.
        eos_ids: tokens that end a reply; the model's default if None.
        banned_ids: tokens that are never generated; the model's default if None.
        packed: packed copies of the model's weights, which decoding steps multiply with; None for none.
    """

    def __init__(
        self,
        model: SafeLlava,
        *,
        max_replies: int = 32,
        kv_positions: int = 1 << 15,
        eos_ids: Sequence[int] | None = None,
        banned_ids: Sequence[int] | None = None,
        packed: PackedModel | None = None,
    ) -> None:
        text: Any = model.backbone.config.text_config
        self._model = model
        self._max_replies = max_replies
        self._kv_positions = kv_positions
        self._eos_ids = frozenset(model.eos_ids if eos_ids is None else eos_ids)
        self._banned_ids = list(model.banned_ids if banned_ids is None else banned_ids)
        self._sequences: list[ReplySequence] = []
        self._cache = KVCache(text.num_hidden_layers)
        text_model = model.backbone.model.language_model
        self._quick_model = text_model if has_quick_step(text_model) else None
        self._packed = packed

    @property
    def running(self) -> int:
        """Number of running sequences."""
        return len(self._sequences)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers for keys and values."""
        return self._cache.nbytes

    def create_sequence(self, request: GenerationRequestLike) -> ReplySequence:
        """Create a sequence that does not run yet.

        Raises:
            PromptError: the prompt alone fills the model's context.
        """
        assert isinstance(request, GenerationRequest), "a generator runs its own guard's requests"
        positions = count_prompt_positions(self._model, request)
        room = self._model.context_length - positions
        if room < 1:
            raise PromptError("The prompt leaves no room for a reply.", code="prompt_too_long", param="prompt")
        return ReplySequence(
            request=request,
            prompt_positions=positions,
            limit=min(room, request.sampling.max_new_tokens),
            draws=create_random_source(request.sampling.seed),
            assembler=TextAssembler(self._model.tokenizer),
            stop_strings=StopStrings(request.stop),
        )

    def fits(self, joining: Sequence[ReplySequenceLike]) -> bool:
        """Whether there is room for sequences in addition to the running ones; a single sequence always fits."""
        sequences = [*self._sequences, *map(_require_own, joining)]
        if len(sequences) <= 1:
            return True
        longest = max(sequence.reserved for sequence in sequences)
        return len(sequences) <= self._max_replies and len(sequences) * longest <= self._kv_positions

    def admit(self, sequences: Sequence[ReplySequenceLike]) -> list[Output]:
        """Start sequences: read their prompts and generate the first token of each; each fails independently."""
        joining = [_require_own(sequence) for sequence in sequences]
        return self._finish_step(joining, retry_in_parts(self._prefill, joining))

    def step(self) -> list[Output]:
        """Generate one token of every running sequence.

        Raises:
            Exception: the model's exception, if every sequence failed with one, because the model itself is broken
                then.
        """
        sequences = list(self._sequences)
        if not sequences:
            return []
        outcomes = retry_in_parts(self._decode, sequences)
        unforeseen = [out for out in outcomes if isinstance(out, Exception) and not isinstance(out, SafeVLMError)]
        if len(unforeseen) == len(sequences):
            raise unforeseen[0]
        return self._finish_step(sequences, outcomes)

    def drop(self, sequence: ReplySequenceLike) -> None:
        """Stop a sequence and clear its state; does nothing if it does not run."""
        own = _require_own(sequence)
        if own in self._sequences:
            own.failure = GenerationError("the reply was stopped")
            self._remove_done()

    def release_memory(self) -> None:
        """Free the buffers of keys and values, unless a sequence runs."""
        if not self._sequences:
            self._cache.clear()

    def run(self, sequences: Sequence[ReplySequence]) -> None:
        """Generate complete replies, in the order given, as many at a time as there is room for."""
        waiting = list(reversed(sequences))
        while waiting or self._sequences:
            joining: list[ReplySequence] = []
            while waiting and self.fits([*joining, waiting[-1]]):
                joining.append(waiting.pop())
            if joining:
                self.admit(joining)
            self.step()

    # --- forward passes ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _prefill(self, joining: Sequence[ReplySequence]) -> list[Output]:
        """Read the prompts of new sequences together; if it raises, nothing has changed."""
        requests = [sequence.request for sequence in joining]
        images = [one.images for one in requests if one.images is not None and len(one.images)]
        embeds_TD = self._model.embed(
            [request.prompt for request in requests],
            VisionFeatures.concatenate(images) if images else None,
            [0 if request.images is None else len(request.images) for request in requests],
            inject=[request.inject for request in requests],
        )
        held = self._cache.shape
        try:
            self._make_room([*self._sequences, *joining])
            self._cache.begin_prefill(first=len(self._sequences))
            # Padding is at the end, where no real position attends, so that the causal mask is enough.
            embeds_RTD = pad_sequence(embeds_TD, batch_first=True)
            positions_1T = torch.arange(embeds_RTD.shape[1], device=embeds_RTD.device)[None]
            hidden_RTD = self._forward(embeds_RTD, positions_1T, mask=None)
            last_R = torch.tensor([len(embeds) - 1 for embeds in embeds_TD], device=hidden_RTD.device)
            logits_RW = self._compute_logits(hidden_RTD[torch.arange(len(joining), device=hidden_RTD.device), last_R])
            outputs = self._append_tokens(joining, logits_RW)
        except BaseException:
            if self._sequences:  # otherwise the next step would try the same allocation again
                self._cache.make_room(*held)
            else:
                self._cache.clear()
            raise
        self._sequences += joining
        return outputs

    @torch.inference_mode()
    def _decode(self, sequences: Sequence[ReplySequence]) -> list[Output]:
        """Generate one token of neighbouring sequences; if it raises, no sequence has advanced."""
        ids_R = torch.tensor([sequence.token_ids[-1] for sequence in sequences], device=self._model.device)
        first = self._sequences.index(sequences[0])
        lengths = [sequence.cached for sequence in sequences]
        positions_R1, mask_R11L = self._cache.begin_decode(first, lengths, ids_R.device)
        embeds_R1D = self._model.backbone.get_input_embeddings()(ids_R[:, None])
        hidden_R1D = self._forward(embeds_R1D, positions_R1, mask_R11L)
        return self._append_tokens(sequences, self._compute_logits(hidden_R1D[:, 0]))

    def _forward(self, embeds_RTD: Tensor, positions_RT: Tensor, mask: Tensor | None) -> Tensor:
        text_model: Any = self._model.backbone.model.language_model
        if mask is not None and text_model is self._quick_model:
            packed = None if self._packed is None else self._packed.layers
            return run_quick_step(text_model, embeds_RTD, positions_RT, mask, self._cache, packed)
        output = text_model(
            inputs_embeds=embeds_RTD,
            attention_mask=mask,
            position_ids=positions_RT,
            use_cache=True,
            **{CACHE_ARGUMENT: self._cache},
        )
        hidden_RTD: Tensor = output.last_hidden_state
        return hidden_RTD

    def _compute_logits(self, hidden_RD: Tensor) -> Tensor:
        lm_head = self._model.backbone.lm_head if self._packed is None else self._packed.lm_head
        logits_RW: Tensor = lm_head(hidden_RD).float()
        return logits_RW

    def _finish_step(self, sequences: Sequence[ReplySequence], outcomes: Sequence[Output | Exception]) -> list[Output]:
        """Collect the output of each sequence, including failures; sequences that are done are removed."""
        outputs: list[Output] = []
        for sequence, outcome in zip(sequences, outcomes, strict=True):
            if isinstance(outcome, Exception):
                sequence.failure = _convert_exception(outcome)
                outcome = StepOutput(sequence, "")
            outputs.append(outcome)
        self._remove_done()
        return outputs

    # --- tokens --------------------------------------------------------------------------------------------------

    def _append_tokens(self, sequences: Sequence[ReplySequence], logits_RW: Tensor) -> list[Output]:
        """Choose the next token of each sequence and append it.

        An error in the work of one sequence (its sampling, its text, its stop strings) ends only that sequence. If this
        method raises, no sequence has advanced.
        """
        finite = logits_RW.isfinite().all(1).tolist()
        if self._banned_ids:
            logits_RW[:, self._banned_ids] = float("-inf")
        if not all(finite):  # tokens chosen from these zeros are discarded below
            logits_RW = logits_RW.masked_fill(~torch.tensor(finite, device=logits_RW.device)[:, None], 0.0)
        tokens = self._choose_tokens(sequences, logits_RW)
        return [
            self._append_or_fail(sequence, token, is_finite)
            for sequence, token, is_finite in zip(sequences, tokens, finite, strict=True)
        ]

    def _choose_tokens(self, sequences: Sequence[ReplySequence], logits_RW: Tensor) -> list[int | Exception]:
        """Choose the next token of each sequence, or return its error; if the batch raises, sequences are retried."""
        samplings = [sequence.request.sampling for sequence in sequences]
        before = [
            None if sampling.greedy else sequence.draws.get_state()
            for sequence, sampling in zip(sequences, samplings, strict=True)
        ]
        try:
            return [*choose_tokens(logits_RW, samplings, [sequence.draws for sequence in sequences])]
        except Exception as exc:
            for sequence, state in zip(sequences, before, strict=True):
                if state is not None:  # the retry must draw the same random numbers
                    sequence.draws.set_state(state)
            if len(sequences) == 1:
                return [exc]
        return [
            token
            for row, sequence in enumerate(sequences)
            for token in self._choose_tokens([sequence], logits_RW[row : row + 1])
        ]

    def _append_or_fail(self, sequence: ReplySequence, token: int | Exception, is_finite: bool) -> Output:
        """Append a token to a sequence; any exception becomes the sequence's failure."""
        if not is_finite:
            sequence.failure = GenerationError("the language model's output is not finite")
            return StepOutput(sequence, "")
        try:
            if isinstance(token, Exception):
                raise token
            return self._append_token(sequence, token)
        except Exception as exc:
            sequence.finish_reason, sequence.failure = None, _convert_exception(exc)
            return StepOutput(sequence, "")

    def _append_token(self, sequence: ReplySequence, token: int) -> Output:
        sequence.token_ids.append(token)
        text = sequence.stop_strings.push(sequence.assembler.push(token))
        if token in self._eos_ids or sequence.stop_strings.met:
            sequence.finish_reason = "stop"
        elif len(sequence.token_ids) >= sequence.limit:
            sequence.finish_reason = "length"
        if sequence.done:
            text += sequence.stop_strings.push(sequence.assembler.finish()) + sequence.stop_strings.finish()
        sequence.text += text
        return StepOutput(sequence, text)

    # --- cache space ---------------------------------------------------------------------------------------------

    def _remove_done(self) -> None:
        """Remove sequences that are done; the last sequence moves into each gap."""
        for index in range(len(self._sequences) - 1, -1, -1):
            if self._sequences[index].done:
                self._cache.remove(index, len(self._sequences) - 1)
                self._sequences[index] = self._sequences[-1]
                self._sequences.pop()
        if not self._sequences and self._cache.nbytes > _KEPT_BYTES:
            self._cache.clear()

    def _make_room(self, sequences: Sequence[ReplySequence]) -> None:
        """Resize the cache for these sequences, within ``kv_positions`` if possible."""
        longest = max(sequence.reserved for sequence in sequences)
        wanted = (1 << (len(sequences) - 1).bit_length(), -(-longest // _LENGTH_STEP) * _LENGTH_STEP)
        held = self._cache.shape
        if wanted[0] <= held[0] and wanted[1] <= held[1]:
            if self._cache.nbytes > _KEPT_BYTES and 4 * wanted[0] * wanted[1] <= held[0] * held[1]:
                self._cache.make_room(*wanted)  # after a burst, most of the cache is unused
            return
        both = (max(wanted[0], held[0]), max(wanted[1], held[1]))
        tight = (len(sequences), longest)
        self._cache.make_room(
            *next((shape for shape in (both, wanted) if shape[0] * shape[1] <= self._kv_positions), tight)
        )


def _require_own(sequence: ReplySequenceLike) -> ReplySequence:
    assert isinstance(sequence, ReplySequence), "a generator runs its own sequences"
    return sequence


def _convert_exception(exc: Exception) -> SafeVLMError:
    """Convert an exception to the failure of a sequence; an unexpected one is logged without its message."""
    if isinstance(exc, SafeVLMError):
        return exc
    if is_out_of_memory(exc):
        return ExhaustedError("there was not enough memory")
    _logger.error("generation failed: %s", describe(exc))
    return GenerationError("the reply could not be generated")
