"""Replies of the bare backbone to harmless requests, which keep stage 2 from changing how it answers them.

The LoRA learns short descriptions and refusals; without replies of the model's own, it would learn to describe and to
refuse everywhere. Deterministic for a seed and a model.
"""

from collections.abc import Iterator, Sequence

from rich.progress import track

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import GenerationRequest
from safety_core.errors import PromptError
from safety_core.inputs.conversation import Turn
from safety_core.model.llama_step import pack_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.small.build.replies.reply_samples import ReplySample
from safety_core.small.corpus.hashing import rank
from safety_core.small.corpus.records import Record

_LONGEST_PROMPT = 600
"""Characters of a request."""

_MOST_TOKENS = 120
"""Longest reply; a reply that does not end by then is not used, because its end would be learned."""

_TOGETHER = 64
"""Replies that are generated at a time."""


def list_distilled_replies(
    model: SafeLlava, words: Sequence[Record], *, count: int, show: bool = True
) -> Iterator[ReplySample]:
    """Yield harmless requests with the model's own greedy replies, as far as these end.

    Args:
        model: a model without guard and adapter.
        words: labelled texts of a split.
        count: number of requests that are tried.
        show: whether a progress bar is shown.
    """
    asked = sorted((record for record in words if _is_usable(record)), key=_rank)[:count]
    generator = Generator(model, max_replies=_TOGETHER, packed=pack_quick_step(model.backbone))
    for start in track(range(0, len(asked), _TOGETHER), "replies of the backbone", disable=not show):
        yield from _reply(model, generator, asked[start : start + _TOGETHER])


def _reply(model: SafeLlava, generator: Generator, batch: Sequence[Record]) -> Iterator[ReplySample]:
    sequences = []
    for record in batch:
        try:
            prompt = model.prompts.encode([Turn(role="user", text=record.text)], 0, hint=None)
            request = GenerationRequest(prompt=prompt, inject=False, sampling=Sampling(max_new_tokens=_MOST_TOKENS))
            sequences.append((record, generator.create_sequence(request)))
        except PromptError:
            continue
    generator.run([sequence for _, sequence in sequences])
    for record, sequence in sequences:
        if sequence.failure is not None:
            raise sequence.failure
        if sequence.finish_reason == "stop" and (reply := sequence.text.strip()):
            assert record.label is not None
            yield ReplySample(
                id=f"own/{record.id}", prompt=record.text, reply=reply, label=record.label, source=record.source
            )


def _is_usable(record: Record) -> bool:
    """Whether a text is a harmless request of a user."""
    is_request = record.surface in ("prompt", "both") and 0 < len(record.text) <= _LONGEST_PROMPT
    return is_request and record.label is not None and record.label[1] == 0


def _rank(record: Record) -> str:
    return rank(f"own/{record.id}")
