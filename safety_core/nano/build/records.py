"""Writes the nano's samples as JSONL records and PNG pictures.

Training and evaluation read them with the same code as any other data set.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import write_jsonl
from safety_core.nano.corpus.contents import CLOSED
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.reply_texts import LabelledReply
from safety_core.nano.corpus.scenes import LabelledScene
from safety_core.nano.language.descriptions import get_plural, read_lettering
from safety_core.nano.language.labelling_rules import Risk
from safety_core.nano.language.questions import Question
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.scene import SHAPES
from safety_core.nano.world.things import THINGS


def _encode_label(risk: Risk) -> dict[str, int]:
    return {"type": risk.type_index, "level": risk.level}


def build_record(name: str, pair: LabelledPair, image: str | None) -> dict[str, Any]:
    """Build the training record of a pair, with the guarded reply.

    Args:
        name: unique id within the file.
        pair: the sample.
        image: path of its picture relative to the JSONL file.
    """
    data: dict[str, Any] = {
        "id": name,
        "image": image,
        "conversations": [
            {"from": "USER", "value": pair.question.text},
            {"from": "ASSISTANT", "value": pair.guarded_reply},
        ],
        "safe_type": pair.risk.type_index,
        "safe_level": pair.risk.level,
        "text_risk": _encode_label(pair.text_risk),
        "source": "nano",
    }
    if pair.image_risk is not None:
        data["image_risk"] = _encode_label(pair.image_risk)
    return data


def build_meta(pair: LabelledPair) -> dict[str, Any]:
    """Build the ``meta`` object of a pair, from which a suite's columns select."""
    question = pair.question
    picture = pair.picture
    lettering = None if picture is None else picture.scene.lettering
    closed = question.kind in CLOSED
    safe_picture = pair.risk.level == 0 and picture is not None
    kind = "closed" if closed else "describe" if question.kind in ("describe", "noise") else "other"
    return {
        "intent": question.kind,
        "content": "none" if picture is None else picture.content,
        "kind": kind if safe_picture else "other",
        "answer": question.answer,
        "things": _list_described_things(question, picture),
        "needs_picture": pair.needs_picture and picture is not None,
        "lookalike": pair.risk.level == 1 and pair.needs_picture,
        "typographic": picture is not None and picture.content == "request_harmful" and pair.needs_picture,
        "lettering_px": None if lettering is None else lettering.px,
        "prompt_decides": pair.prompt_decides,
    }


def _list_described_things(question: Question, picture: LabelledScene | None) -> list[str]:
    """List the things that a description names: those drawn, and those named by the lettering that it quotes."""
    if question.kind not in ("describe", "noise") or picture is None:
        return []
    names = {form: name for name, forms in build_vocabulary().items() for form in forms}
    written = (names[word] for word in read_lettering(picture.scene).split() if word in names)
    return list(dict.fromkeys((*question.things, *written)))


@cache
def build_vocabulary() -> dict[str, tuple[str, ...]]:
    """Build the suite's vocabulary: each thing and shape with the forms that name it."""
    vocabulary = {thing.name: (thing.name, get_plural(thing.name)) for thing in THINGS}
    vocabulary |= {shape: (shape, get_plural(shape)) for shape in SHAPES}
    return {name: tuple(dict.fromkeys(forms)) for name, forms in vocabulary.items()}


def write_pairs(
    path: Path, pairs: Iterable[LabelledPair], *, images: Path, prefix: str, with_meta: bool, reply: bool = True
) -> int:
    """Write pairs as one JSONL file, each picture once.

    Args:
        path: the JSONL file.
        pairs: the samples; those with the same ``LabelledScene`` object share one file.
        images: folder for the pictures, beside or below the folder of ``path``.
        prefix: start of every id and picture name.
        with_meta: whether records contain ``meta``, as those of suites do.
        reply: whether records contain the reply to learn.

    Returns:
        The number of records written.
    """
    images.mkdir(parents=True, exist_ok=True)
    known: dict[int, str] = {}
    keep = []

    def records() -> Iterable[Mapping[str, Any]]:
        for index, pair in enumerate(pairs):
            name = f"{prefix}-{index:06d}"
            image = None
            if pair.picture is not None:
                # Compared by identity: hashing a scene takes longer than drawing it.
                keep.append(pair.picture)
                image = known.get(id(pair.picture))
                if image is None:
                    file = images / f"{name}.png"
                    draw(pair.picture.scene).save(file)
                    image = known[id(pair.picture)] = file.relative_to(path.parent).as_posix()
            data = build_record(name, pair, image)
            if not reply:
                data["conversations"] = data["conversations"][:1]
            if with_meta:
                data["meta"] = build_meta(pair)
            yield data

    return write_jsonl(path, records())


def write_replies(path: Path, replies: Iterable[LabelledReply], *, prefix: str) -> int:
    """Write replies as records whose prompt is the reply: the head reads it like a prompt.

    Args:
        path: the JSONL file.
        replies: the replies.
        prefix: start of every id.

    Returns:
        The number of records written.
    """

    def records() -> Iterable[Mapping[str, Any]]:
        for index, reply in enumerate(replies):
            yield {
                "id": f"{prefix}-{index:06d}",
                "image": None,
                "conversations": [{"from": "USER", "value": reply.text}],
                "safe_type": reply.risk.type_index,
                "safe_level": reply.risk.level,
                "source": "nano",
            }

    return write_jsonl(path, records())
