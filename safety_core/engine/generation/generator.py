"""Continuous batching: replies that are made together, token by token, although each began when it could.

A reply joins with one prefill of its own prompt, and from then on every step makes one token of every running reply
in one forward pass. Draws come from a random source of each reply's own. One thread owns a generator; it knows
nothing of verdicts, queues and clients.
Shapes: R running replies · T positions of the longest prompt that joins · D LLM width · W vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safety_core.engine.exceptions import describe
from safety_core.engine.generation.kv_cache import SlotCache
from safety_core.engine.generation.stop_strings import StopStrings
from safety_core.engine.generation.text_assembler import TextAssembler
from safety_core.engine.judging.batch_retry import in_parts, out_of_memory
from safety_core.engine.messages import FinishReason
from safety_core.errors import ExhaustedError, GenerationError, PromptError, SafeVLMError
from safety_core.inputs.prompts import EncodedPrompt
from safety_core.model.llama_step import CACHE_ARGUMENT, has_quick_step, run_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling, choose_tokens, create_random_source
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.book import ActivePolicy

_logger = logging.getLogger(__name__)

_LENGTH_STEP = 64
"""Room is made in multiples of so many positions: it then changes seldom."""

_KEPT_BYTES = 16 << 20
"""Bytes of keys and values that may stay allocated while no reply runs; freeing less is not worthwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A reply that is wanted."""

    prompt: EncodedPrompt
    """The conversation."""

    pictures: VisionFeatures | None = None
    """Features of its pictures, in order."""

    inject: bool = True
    """Whether the safety tokens ride in front of each picture."""

    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are chosen."""

    stop: tuple[str, ...] = ()
    """Strings that end the reply where they come; they stay out of it."""

    rules: ActivePolicy | None = None
    """What the reply is judged by on its way, where somebody does; nothing to the generator."""


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A reply that is being made."""

    job: Job
    """What was asked for."""

    prompt_positions: int
    """Positions of the prompt: words, pictures, safety tokens."""

    limit: int
    """Most tokens that it gets: what was asked for, or what the context leaves."""

    draws: torch.Generator
    """Its random source."""

    assembler: TextAssembler
    """Tokens to text."""

    stops: StopStrings
    """Ends the text where its client wants."""

    text: str = ""
    """The reply so far."""

    token_ids: list[int] = field(default_factory=list)
    """The tokens so far."""

    finish_reason: FinishReason | None = None
    """Why it ended; None while it runs, and where it failed."""

    failure: Exception | None = None
    """Why it failed."""

    harmful: ClassVar[bool] = False
    """Whether it was found to turn harmful: nobody judges it here."""

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.finish_reason is not None or self.failure is not None

    @property
    def reserved(self) -> int:
        """Positions that it may come to."""
        return self.prompt_positions + self.limit

    @property
    def cached(self) -> int:
        """Positions that the language model has read: all but the newest token."""
        return self.prompt_positions + len(self.token_ids) - 1


@dataclass(frozen=True, slots=True)
class Made:
    """What one step did for one reply."""

    row: Row
    """The reply; it may be done by now."""

    piece: str
    """Text that has become certain; often empty within a character."""


class Generator:
    """Runs one model's replies.

    Args:
        model: the model; only the text half of its backbone runs.
        max_replies: replies at a time.
        kv_positions: room for keys and values: rows times positions of the longest. One reply alone may have more.
        eos_ids: tokens that end a reply; the model's own where None.
    """

    def __init__(
        self,
        model: SafeLlava,
        *,
        max_replies: int = 32,
        kv_positions: int = 1 << 15,
        eos_ids: Sequence[int] | None = None,
    ) -> None:
        text: Any = model.backbone.config.text_config
        self._model = model
        self._max_replies = max_replies
        self._kv_positions = kv_positions
        self._eos_ids = frozenset(model.eos_ids if eos_ids is None else eos_ids)
        self._banned_ids = list(model.banned_ids)
        self._rows: list[Row] = []
        self._cache = SlotCache(text.num_hidden_layers)
        text_model = model.backbone.model.language_model
        self._quick_model = text_model if has_quick_step(text_model) else None

    @property
    def running(self) -> int:
        """Replies that are being made."""
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values."""
        return self._cache.nbytes

    def row(self, job: Job) -> Row:
        """A reply that has not begun.

        Raises:
            PromptError: the prompt alone fills the model's context.
        """
        positions = prompt_positions(self._model, job)
        room = self._model.context_length - positions
        if room < 1:
            raise PromptError("The prompt leaves no room for a reply.", code="prompt_too_long", param="prompt")
        return Row(
            job=job,
            prompt_positions=positions,
            limit=min(room, job.sampling.max_new_tokens),
            draws=create_random_source(job.sampling.seed),
            assembler=TextAssembler(self._model.tokenizer),
            stops=StopStrings(job.stop),
        )

    def fits(self, joining: Sequence[Row]) -> bool:
        """Whether replies may join those that run; one alone always may."""
        rows = [*self._rows, *joining]
        if len(rows) <= 1:
            return True
        return len(rows) <= self._max_replies and len(rows) * max(row.reserved for row in rows) <= self._kv_positions

    def admit(self, rows: Sequence[Row]) -> list[Made]:
        """Let replies join: each one's first token. Who cannot be read fails by itself."""
        return self._settled(rows, in_parts(self._prefill, rows))

    def step(self) -> list[Made]:
        """One more token of every running reply.

        Raises:
            Exception: whatever the model raised, where it did so for every reply: then the model is at fault.
        """
        rows = list(self._rows)
        if not rows:
            return []
        outcomes = in_parts(self._decode, rows)
        unforeseen = [out for out in outcomes if isinstance(out, Exception) and not isinstance(out, SafeVLMError)]
        if len(unforeseen) == len(rows):
            raise unforeseen[0]
        return self._settled(rows, outcomes)

    def drop(self, row: Row) -> None:
        """Stop a reply; nothing of it stays. One that does not run is left as it is."""
        if row in self._rows:
            row.failure = GenerationError("the reply was stopped")
            self._leave()

    def release(self) -> None:
        """Free the buffers of keys and values, unless a reply runs."""
        if not self._rows:
            self._cache.clear()

    def run(self, rows: Sequence[Row]) -> None:
        """Make replies to their ends, as many at a time as there is room for, in the order given."""
        waiting = list(reversed(rows))
        while waiting or self._rows:
            joining: list[Row] = []
            while waiting and self.fits([*joining, waiting[-1]]):
                joining.append(waiting.pop())
            if joining:
                self.admit(joining)
            self.step()

    # --- forward passes ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _prefill(self, rows: Sequence[Row]) -> list[Made]:
        """Prefill the prompts of new replies together; if it raises, nothing has changed."""
        jobs = [row.job for row in rows]
        pictures = [job.pictures for job in jobs if job.pictures is not None and len(job.pictures)]
        embeds_TD = self._model.embed(
            [job.prompt for job in jobs],
            VisionFeatures.concatenate(pictures) if pictures else None,
            [0 if job.pictures is None else len(job.pictures) for job in jobs],
            inject=[job.inject for job in jobs],
        )
        held = self._cache.shape
        try:
            self._make_room([*self._rows, *rows])
            self._cache.before_prefill(first=len(self._rows))
            # Padded behind: no real position can look there, so a prefill needs no mask but the causal one.
            embeds_RTD = pad_sequence(embeds_TD, batch_first=True)
            positions_1T = torch.arange(embeds_RTD.shape[1], device=embeds_RTD.device)[None]
            hidden_RTD = self._forward(embeds_RTD, positions_1T, mask=None)
            last_R = torch.tensor([len(embeds) - 1 for embeds in embeds_TD], device=hidden_RTD.device)
            logits_RW = self._logits(hidden_RTD[torch.arange(len(rows), device=hidden_RTD.device), last_R])
            made = self._append(rows, logits_RW)
        except BaseException:
            if self._rows:  # room that could not be had must not be asked for again by their next token
                self._cache.make_room(*held)
            else:
                self._cache.clear()
            raise
        self._rows += rows
        return made

    @torch.inference_mode()
    def _decode(self, rows: Sequence[Row]) -> list[Made]:
        """Generate one token of neighbouring rows; if it raises, no row has advanced."""
        ids_R = torch.tensor([row.token_ids[-1] for row in rows], device=self._model.device)
        first = self._rows.index(rows[0])
        positions_R1, mask_R11L = self._cache.before_decode(first, [row.cached for row in rows], ids_R.device)
        embeds_R1D = self._model.backbone.get_input_embeddings()(ids_R[:, None])
        hidden_R1D = self._forward(embeds_R1D, positions_R1, mask_R11L)
        return self._append(rows, self._logits(hidden_R1D[:, 0]))

    def _forward(self, embeds_RTD: Tensor, positions_RT: Tensor, mask: Tensor | None) -> Tensor:
        text_model: Any = self._model.backbone.model.language_model
        if mask is not None and text_model is self._quick_model:
            return run_quick_step(text_model, embeds_RTD, positions_RT, mask, self._cache)
        output = text_model(
            inputs_embeds=embeds_RTD,
            attention_mask=mask,
            position_ids=positions_RT,
            use_cache=True,
            **{CACHE_ARGUMENT: self._cache},
        )
        hidden_RTD: Tensor = output.last_hidden_state
        return hidden_RTD

    def _logits(self, hidden_RD: Tensor) -> Tensor:
        logits_RW: Tensor = self._model.backbone.lm_head(hidden_RD).float()
        return logits_RW

    def _settled(self, rows: Sequence[Row], outcomes: Sequence[Made | Exception]) -> list[Made]:
        """What became of each reply; those that are done have left."""
        made: list[Made] = []
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Made):
                made.append(outcome)
                continue
            row.failure = _failure(outcome)
            made.append(Made(row, ""))
        self._leave()
        return made

    # --- rows ----------------------------------------------------------------------------------------------------

    def _append(self, rows: Sequence[Row], logits_RW: Tensor) -> list[Made]:
        """Choose the next token of each row and append it.

        A fault in the work of one row (its draw, its text, its stop strings) ends only that row. If this raises, no row
        has advanced.
        """
        finite = logits_RW.isfinite().all(1).tolist()
        if self._banned_ids:
            logits_RW[:, self._banned_ids] = float("-inf")
        if not all(finite):  # chosen from zeros, and thrown away below
            logits_RW = logits_RW.masked_fill(~torch.tensor(finite, device=logits_RW.device)[:, None], 0.0)
        tokens = self._chosen(rows, logits_RW)
        return [self._made(row, token, sound) for row, token, sound in zip(rows, tokens, finite, strict=True)]

    def _chosen(self, rows: Sequence[Row], logits_RW: Tensor) -> list[int | Exception]:
        """The next token of each row, or its error; if choosing raises for all rows, each row is tried by itself."""
        before = [None if row.job.sampling.greedy else row.draws.get_state() for row in rows]
        try:
            return [*choose_tokens(logits_RW, [row.job.sampling for row in rows], [row.draws for row in rows])]
        except Exception as exc:
            for row, state in zip(rows, before, strict=True):
                if state is not None:  # whoever is tried again draws what it would have drawn
                    row.draws.set_state(state)
            if len(rows) == 1:
                return [exc]
        return [token for place, row in enumerate(rows) for token in self._chosen([row], logits_RW[place : place + 1])]

    def _made(self, row: Row, token: int | Exception, sound: bool) -> Made:
        """Append a token to a row; any exception becomes the row's failure."""
        if not sound:
            row.failure = GenerationError("the language model's output is not finite")
            return Made(row, "")
        try:
            if isinstance(token, Exception):
                raise token
            return self._appended(row, token)
        except Exception as exc:
            row.finish_reason, row.failure = None, _failure(exc)
            return Made(row, "")

    def _appended(self, row: Row, token: int) -> Made:
        row.token_ids.append(token)
        piece = row.stops.push(row.assembler.push(token))
        if token in self._eos_ids or row.stops.met:
            row.finish_reason = "stop"
        elif len(row.token_ids) >= row.limit:
            row.finish_reason = "length"
        if row.done:
            piece += row.stops.push(row.assembler.finish()) + row.stops.finish()
        row.text += piece
        return Made(row, piece)

    def _leave(self) -> None:
        """Take out who is done; the last row moves into each gap."""
        for index in range(len(self._rows) - 1, -1, -1):
            if self._rows[index].done:
                self._cache.remove(index, len(self._rows) - 1)
                self._rows[index] = self._rows[-1]
                self._rows.pop()
        if not self._rows and self._cache.nbytes > _KEPT_BYTES:
            self._cache.clear()

    def _make_room(self, rows: Sequence[Row]) -> None:
        """Fit the cache to these rows, within ``kv_positions`` where that is possible."""
        longest = max(row.reserved for row in rows)
        wanted = (1 << (len(rows) - 1).bit_length(), -(-longest // _LENGTH_STEP) * _LENGTH_STEP)
        held = self._cache.shape
        if wanted[0] <= held[0] and wanted[1] <= held[1]:
            if self._cache.nbytes > _KEPT_BYTES and 4 * wanted[0] * wanted[1] <= held[0] * held[1]:
                self._cache.make_room(*wanted)  # after a burst most of it would lie idle
            return
        both = (max(wanted[0], held[0]), max(wanted[1], held[1]))
        tight = (len(rows), longest)
        self._cache.make_room(
            *next((shape for shape in (both, wanted) if shape[0] * shape[1] <= self._kv_positions), tight)
        )


def _failure(exc: Exception) -> SafeVLMError:
    """The error of a reply; an unexpected exception is logged without its message, which may quote a user."""
    if isinstance(exc, SafeVLMError):
        return exc
    if out_of_memory(exc):
        return ExhaustedError("there was not enough memory")
    _logger.error("generation failed: %s", describe(exc))
    return GenerationError("the reply could not be made")


def prompt_positions(model: SafeLlava, job: Job) -> int:
    """Positions that the language model reads: each placeholder becomes [safety tokens ; image features]."""
    if job.pictures is None:
        return len(job.prompt.input_ids)
    tokens = model.safety.llm_tokens_SD
    injected = 0 if tokens is None or not job.inject else len(tokens)
    per_picture = job.pictures.projected_BPD.shape[1] + injected - 1
    return len(job.prompt.input_ids) + len(job.pictures) * per_picture
