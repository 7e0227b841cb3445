"""How large lettering must be for the nano to read it: the curve in its card.

Held-out faces, backgrounds and wordings, signs of one to three words; the bare backbone is asked to read.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from safety_core.evaluation.estimates import Bootstrap
from safety_core.model.safe_llava import SafeLlava
from safety_core.nano.corpus import ask, draw_scene
from safety_core.nano.drawing import draw
from safety_core.nano.grammar import writing
from safety_core.prompts import Turn

_BATCH = 32
_REPLY_TOKENS = 32


def reading_curve(model: SafeLlava, *, sizes: Sequence[int], pairs: int, seed: int) -> list[dict[str, Any]]:
    """Ask the bare backbone to read lettering of each size.

    Args:
        model: the bare backbone's row, which has no adapter; neither head nor tokens take part.
        sizes: heights of the lettering in pixels.
        pairs: pictures per size.
        seed: of the pictures.

    Returns:
        One record per size: ``px``, ``n``, ``exact`` (share of whole replies) and ``words`` (mean share of a picture's
        words in their place), both with the ends of their 95 % intervals as ``…_low`` and ``…_high``.
    """
    curve = []
    for px in sizes:
        pictures, questions, wanted = [], [], []
        for index in range(pairs):
            rng = Random(f"{seed}/reading/{px}/{index}")
            drawn = draw_scene(rng, "sign", held_out=True, px=px)
            pair = ask(rng, drawn, "read", held_out=True)
            assert pair is not None
            pictures.append(draw(drawn.scene))
            questions.append(pair.question.text)
            wanted.append(writing(drawn.scene))
        replies: list[str] = []
        for start in range(0, pairs, _BATCH):
            part = slice(start, start + _BATCH)
            vision = model.encode_images(model.preprocess(pictures[part]))
            encoded = [model.prompts.encode([Turn(role="user", text=text)], 1) for text in questions[part]]
            answers = model.generate(encoded, vision, [1] * len(encoded), inject=False, max_new_tokens=_REPLY_TOKENS)
            replies += [answer.text for answer in answers]
        bootstrap, every = Bootstrap(range(pairs), seed=seed), np.ones(pairs, dtype=np.bool_)
        point: dict[str, Any] = {"px": px, "n": pairs}
        grades = {
            "exact": [float(reply == f"It says: {text}.") for reply, text in zip(replies, wanted, strict=True)],
            "words": [_words_read(reply, text) for reply, text in zip(replies, wanted, strict=True)],
        }
        for name, shares in grades.items():
            estimate = bootstrap.mean(np.array(shares), every)
            point |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        curve.append(point)
    return curve


def _words_read(reply: str, text: str) -> float:
    """Share of a text's words that stand in their place in a reply."""
    said, words = reply.removeprefix("It says: ").rstrip(".").split(), text.split()
    return sum(one == other for one, other in zip(said, words, strict=False)) / len(words)
