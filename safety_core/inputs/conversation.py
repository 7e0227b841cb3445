"""A conversation as untrusted input: its turns, their order, its limits, and its text as displayed and as received."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from safety_core.errors import PromptError
from safety_core.inputs.text.normalisation import normalise

DEFAULT_MAX_PROMPT_TOKENS = 2048
"""Default limit on the tokens of a prompt."""

MAX_CHARACTERS_PER_TOKEN = 16
"""A text with more characters per accepted token is rejected before it is tokenised. Plain text has about four
characters per token, and SentencePiece's longest entries have 16, so such a text would rarely fit."""

MAX_PROMPT_CHARACTERS = MAX_CHARACTERS_PER_TOKEN * DEFAULT_MAX_PROMPT_TOKENS
"""Maximum characters of a conversation, regardless of the limit in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    """Author of the turn; there is no system role, so no client can replace the guard's instructions."""

    text: str
    """Untrusted text."""

    images: int = 0
    """Number of images shown with the turn; if no turn has any, all images belong to the first."""

    parts: tuple[str, ...] = ()
    """The texts that were joined to ``text``, if there were several; each is also judged separately."""


def compute_max_characters(max_prompt_tokens: int) -> int:
    """Compute the maximum characters of all turns of a conversation from the limit in tokens."""
    return min(MAX_CHARACTERS_PER_TOKEN * max_prompt_tokens, MAX_PROMPT_CHARACTERS)


def check_characters(turns: Sequence[Turn], max_prompt_tokens: int) -> None:
    """Reject a conversation that is too long, before it is normalised and tokenised.

    Raises:
        PromptError: ``prompt_too_long``, more than :func:`compute_max_characters`.
    """
    length, limit = _count_characters(turns), compute_max_characters(max_prompt_tokens)
    if length > limit:
        raise create_length_error(length, limit, "characters")


def check_turn_order(turns: Sequence[Turn]) -> None:
    """Raise PromptError unless the turns alternate between user and assistant, and begin and end with the user."""
    roles = [turn.role for turn in turns]
    if roles != ["user" if index % 2 == 0 else "assistant" for index in range(len(roles))] or len(roles) % 2 == 0:
        raise PromptError(
            "turns must alternate between user and assistant, and begin and end with the user",
            code="turn_order",
            param="messages",
        )


def count_images_by_turn(turns: Sequence[Turn], num_images: int) -> list[int]:
    """Return the number of images that each turn shows.

    Raises:
        ValueError: a turn of the assistant shows an image, or the turns show another number of images in total.
    """
    image_counts = [turn.images for turn in turns]
    if not any(image_counts):
        return [num_images, *image_counts[1:]]
    if sum(image_counts) != num_images or any(
        count for turn, count in zip(turns, image_counts, strict=True) if turn.role != "user"
    ):
        raise ValueError(f"user turns must show the {num_images} images, but they show {image_counts}")
    return image_counts


def create_text_variants(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], ...]:
    """Return a conversation as displayed and as received, if the two differ; the worse result of both counts.

    A conversation beyond ``MAX_PROMPT_CHARACTERS`` is returned unchanged: no builder accepts it, so it is never judged.
    """
    raw = tuple(turns)
    if _count_characters(raw) > MAX_PROMPT_CHARACTERS:
        return (raw,)
    normalised = tuple(
        replace(turn, text=normalise(turn.text), parts=tuple(map(normalise, turn.parts))) for turn in raw
    )
    return (raw,) if normalised == raw else (normalised, raw)


def _count_characters(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)


def create_length_error(length: int, limit: int, unit: str = "tokens") -> PromptError:
    """Create the error for a conversation with too many tokens or characters."""
    return PromptError(
        f"The prompt has {length} {unit}; at most {limit} are accepted.", code="prompt_too_long", param="prompt"
    )
