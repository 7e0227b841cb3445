"""Estimates the cost of a request before it is prepared. Pure functions; no torch."""

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.work import Work

EXPENSIVE_CHARACTERS = 512
"""Preparing a request of more characters takes up to half a second, so other requests must not wait for it."""

_CHARACTERS_PER_TOKEN = 4
"""Estimate for plain text; the actual number of tokens is known too late to reject a request at once."""

_CHARACTERS_PER_VIEW = 50
"""Characters whose search for disguises takes as long as preprocessing one view of an image."""

_CHARACTERS_PER_READING = 1000
"""The same for reading the lettering of one view."""

_TOKENS_PER_SENTENCE = 16
"""Fixed cost of judging a sentence, in head tokens, in addition to its words."""


def estimate_least_work(request: GuardRequest) -> Work:
    """Estimate the minimum work of judging a request.

    Every sentence is judged with every image; the estimate is halved, because duplicate sentences are judged once.
    """
    views = sum(len(image.views) for image in request.images)
    texts = [turn.text for turn in request.turns]
    sentences = sum(text.count(end) for text in texts for end in ".!?\n")
    tokens = _TOKENS_PER_SENTENCE * sentences + sum(map(len, texts)) // _CHARACTERS_PER_TOKEN
    return Work(requests=1, views=views, tokens=tokens * (views + 1) // 2)


def estimate_preparation(request: GuardRequest, *, reads_lettering: bool = False) -> int:
    """Estimate the cost of preparing a request, for ordering, in characters; images count as a number of characters.

    Args:
        request: the request.
        reads_lettering: whether the lettering of images is read.
    """
    views = sum(len(image.views) for image in request.images)
    per_view = _CHARACTERS_PER_READING if reads_lettering else _CHARACTERS_PER_VIEW
    return sum(len(turn.text) for turn in request.turns) + per_view * views


def estimate_positions(request: ChatRequest, *, positions_per_image: int) -> int:
    """Estimate the positions of the language model that a chat may need, prompt and reply together."""
    words = sum(len(turn.text) for turn in request.turns) // _CHARACTERS_PER_TOKEN
    return words + len(request.images) * positions_per_image + request.max_tokens
