"""How large lettering must be for the nano to read it: the curve in its card.

Held-out faces, backgrounds and wordings, signs of one to three words; the bare backbone is asked to read.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

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
        One record per size: ``px``, ``n``, ``exact`` (whole replies) and ``words`` (words in their place), as shares.
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
        right = words = total = 0
        for reply, text in zip(replies, wanted, strict=True):
            right += reply == f"It says: {text}."
            said = reply.removeprefix("It says: ").rstrip(".").split()
            words += sum(one == other for one, other in zip(said, text.split(), strict=False))
            total += len(text.split())
        curve.append({"px": px, "n": pairs, "exact": right / pairs, "words": words / total})
    return curve
