"""Replies to harmful requests: of the bare backbone, and of the guarded model through the engine as it is served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import GenerationRequest, ReplySequence
from safety_core.engine.guard import Guard
from safety_core.engine.messages import ChatRequest
from safety_core.errors import EngineError, InputError, PromptError
from safety_core.inputs.images.decoding import decode_image
from safety_core.model.llama_step import pack_quick_step
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures
from safety_core.small.corpus.hashing import rank
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.guarded import create_turns, decode_picture

MAX_TOKENS = 96
"""Longest reply; enough to tell whether a request is taken on."""

COUNTS = {"harmful": 200, "harmful_photo": 60}
"""Number of requests of each column that are replied to."""

TOGETHER = 24
"""Replies that the bare model generates at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReply:
    """What a system replied to one item."""

    text: str | None = None
    """The reply; None if the guard refused, or cut the reply before its first word."""

    problem: str | None = None
    """Code of the reason why there is neither a reply nor a refusal."""


def choose_reply_items(items: Sequence[Item], limit: int) -> list[Item]:
    """Choose the harmful requests that are replied to, at most ``limit`` of words and of words beside a photograph."""
    return [
        item
        for column, count in COUNTS.items()
        for item in sorted(
            (item for item in items if item.columns == (column,)), key=lambda item: rank(f"reply/{item.id}")
        )[: min(limit, count)]
    ]


def generate_bare_replies(model: SafeLlava, items: Sequence[Item]) -> Iterator[GivenReply]:
    """Yield the replies of a model without guard and adapter, in order of the items."""
    generator = Generator(model, max_replies=TOGETHER, packed=pack_quick_step(model.backbone))
    for start in range(0, len(items), TOGETHER):
        batch = items[start : start + TOGETHER]
        sequences: list[ReplySequence | str] = []
        for item in batch:
            try:
                sequences.append(generator.create_sequence(_create_request(model, item)))
            except PromptError as exc:
                sequences.append(exc.code)
        generator.run([sequence for sequence in sequences if isinstance(sequence, ReplySequence)])
        for sequence in sequences:
            if isinstance(sequence, str):
                yield GivenReply(problem=sequence)
            elif sequence.failure is not None:
                yield GivenReply(problem=type(sequence.failure).__name__)
            else:
                yield GivenReply(text=sequence.text)


def generate_guarded_replies(guard: Guard, items: Sequence[Item]) -> Iterator[GivenReply]:
    """Yield the replies of a guarded model: verdict, refusal or hint, and the output rail."""
    for item in items:
        try:
            request = ChatRequest(images=decode_picture(item, guard), turns=create_turns(item), max_tokens=MAX_TOKENS)
            reply = guard.answer(request)
        except InputError as exc:
            yield GivenReply(problem=exc.code)
        except EngineError as exc:
            yield GivenReply(problem=type(exc).__name__)
        else:
            content = reply.content or ""
            refused = not content.strip() and reply.finish_reason == "content_filter"
            yield GivenReply(text=None if refused else content)


def _create_request(model: SafeLlava, item: Item) -> GenerationRequest:
    turns = create_turns(item)
    images: VisionFeatures | None = None
    if item.picture is not None:
        decoded = decode_image(item.picture.read_bytes(), fill=get_pad_colour(model.image_processor))
        images = model.encode_images(model.preprocess(decoded.views[:1]))
    return GenerationRequest(
        prompt=model.prompts.encode(turns, 0 if images is None else len(images), hint=None),
        images=images,
        inject=False,
        sampling=Sampling(max_new_tokens=MAX_TOKENS),
    )
