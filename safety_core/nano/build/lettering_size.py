"""Measures how well the bare backbone reads lettering of each size: the curve in the model card.

Typefaces, backgrounds and wordings are held out; the backbone reads signs of one to three words, and numbers, which it
spells digit by digit.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import GenerationRequest
from safety_core.evaluation.statistics.estimates import Bootstrap
from safety_core.inputs.conversation import Turn
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.sampling import Sampling
from safety_core.nano.corpus.pairs import ask
from safety_core.nano.corpus.scenes import sample_scene
from safety_core.nano.language.descriptions import read_lettering
from safety_core.nano.world.drawing import draw

_BATCH = 32
_REPLY_TOKENS = 32


def measure_reading_curve(model: SafeLlava, *, sizes: Sequence[int], pairs: int, seed: int) -> list[dict[str, Any]]:
    """Measure the reading of lettering of each size.

    Args:
        model: the bare backbone, without an adapter; head and tokens are not used.
        sizes: heights of the lettering in pixels.
        pairs: number of signs, and of numbers, per size.
        seed: seed of the pictures.

    Returns:
        One record per size: ``px``, ``n``; of signs, ``exact`` (share of whole replies) and ``words`` (mean share of a
        picture's words in their place); of numbers, ``numbers`` (share read without a wrong digit). Each with the ends
        of its 95 % interval as ``…_low`` and ``…_high``.
    """
    bootstrap, every = Bootstrap(range(pairs), seed=seed), np.ones(pairs, dtype=np.bool_)
    curve = []
    for px in sizes:
        signs, numbers = (_read_pictures(model, content, px, pairs, seed) for content in ("sign", "number"))
        grades = {
            "exact": [float(reply == f"It says: {text}.") for reply, text in signs],
            "words": [_grade_words(reply, text, str.isalpha) for reply, text in signs],
            "numbers": [_grade_words(reply, text, str.isdigit) for reply, text in numbers],
        }
        point: dict[str, Any] = {"px": px, "n": pairs}
        for name, shares in grades.items():
            estimate = bootstrap.estimate_mean(np.array(shares), every)
            point |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        curve.append(point)
    return curve


def _read_pictures(model: SafeLlava, content: str, px: int, pairs: int, seed: int) -> list[tuple[str, str]]:
    """Read pictures of one content and size; return (reply, lettering) of each."""
    pictures, questions, wanted = [], [], []
    for index in range(pairs):
        rng = Random(f"{seed}/reading/{content}/{px}/{index}")
        picture = sample_scene(rng, content, held_out=True, px=px)
        pair = ask(rng, picture, "read", part="held_out")
        assert pair is not None
        pictures.append(draw(picture.scene))
        questions.append(pair.question.text)
        wanted.append(read_lettering(picture.scene))
    replies: list[str] = []
    generator = Generator(model, max_replies=_BATCH)
    for start in range(0, pairs, _BATCH):
        part = slice(start, start + _BATCH)
        vision = model.encode_images(model.preprocess(pictures[part]))
        rows = [
            generator.create_sequence(
                GenerationRequest(
                    prompt=model.prompts.encode([Turn(role="user", text=text)], 1),
                    images=vision[index : index + 1],
                    inject=False,
                    sampling=Sampling(max_new_tokens=_REPLY_TOKENS),
                )
            )
            for index, text in enumerate(questions[part])
        ]
        generator.run(rows)
        for row in rows:
            if row.failure is not None:
                raise row.failure
        replies += [row.text for row in rows]
    return list(zip(replies, wanted, strict=True))


def _grade_words(reply: str, text: str, counts: Callable[[str], bool]) -> float:
    """Grade a reply: the share of a text's words of one sort that are at their position in the reply."""
    reply_words, words = reply.removeprefix("It says: ").rstrip(".").split(), text.split()
    reply_words += [""] * (len(words) - len(reply_words))
    return float(np.mean([one == other for one, other in zip(reply_words, words, strict=False) if counts(other)]))
