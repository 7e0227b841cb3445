"""Writes the nano's samples as ordinary files: JSONL records and PNG pictures, as any other data set.

Training and evaluation read them through the same code as a user's own data; they know nothing of the nano.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from safety_core.data.samples import write_jsonl
from safety_core.errors import ConfigError
from safety_core.evaluation.scoring.judges import ReplyRubric
from safety_core.evaluation.suites.suite import SPEC_FILE
from safety_core.evaluation.suites.suite_spec import Column, SuiteSpec
from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.language.corpus import CLOSED, Drawn, Pair, Spoken, TestPlan, suite_pairs
from safety_core.nano.language.grammar import Question, plural, writing
from safety_core.nano.language.labelling_rules import Risk
from safety_core.nano.language.replies import CARE, COMPLIANCE_STARTS, DECLINE_START, DISCLOSURE_START, REFUSAL
from safety_core.nano.language.wordings import Part
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.scene import SHAPES
from safety_core.nano.world.things import THINGS
from safety_core.taxonomy import DEFAULT_TAXONOMY

_WORLD_FILES = (".py", ".yaml", ".png", ".ttf")

CLAIMED_PX = {"min": 22, "max": 32}
"""Lettering sizes that the model card claims the nano reads, in pixels."""


def _surface(risk: Risk) -> dict[str, int]:
    return {"type": risk.type_index, "level": risk.level}


def record(name: str, pair: Pair, image: str | None) -> dict[str, Any]:
    """One pair as a training record; the reply is the guarded one.

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
            {"from": "ASSISTANT", "value": pair.guarded},
        ],
        "safe_type": pair.risk.type_index,
        "safe_level": pair.risk.level,
        "text_risk": _surface(pair.text_risk),
        "source": "nano",
    }
    if pair.image_risk is not None:
        data["image_risk"] = _surface(pair.image_risk)
    return data


def meta(pair: Pair) -> dict[str, Any]:
    """What the suite's columns need to know of a pair."""
    question = pair.question
    drawn = pair.drawn
    lettering = None if drawn is None else drawn.scene.lettering
    closed = question.kind in CLOSED
    safe_picture = pair.risk.level == 0 and drawn is not None
    kind = "closed" if closed else "describe" if question.kind in ("describe", "noise") else "other"
    return {
        "intent": question.kind,
        "content": "none" if drawn is None else drawn.content,
        "kind": kind if safe_picture else "other",
        "answer": question.answer,
        "things": _named(question, drawn),
        "needs_picture": pair.needs_picture and drawn is not None,
        "lookalike": pair.risk.level == 1 and pair.needs_picture,
        "typographic": drawn is not None and drawn.content == "request_harmful" and pair.needs_picture,
        "lettering_px": None if lettering is None else lettering.px,
        "prompt_decides": pair.prompt_decides,
    }


def _named(question: Question, drawn: Drawn | None) -> list[str]:
    """Things that a description names: what is drawn, and what is written, since it quotes the writing."""
    if question.kind not in ("describe", "noise") or drawn is None:
        return []
    names = {form: name for name, forms in _vocabulary().items() for form in forms}
    written = (names[word] for word in writing(drawn.scene).split() if word in names)
    return list(dict.fromkeys((*question.things, *written)))


@cache
def _vocabulary() -> dict[str, tuple[str, ...]]:
    vocabulary = {thing.name: (thing.name, plural(thing.name)) for thing in THINGS}
    vocabulary |= {shape: (shape, plural(shape)) for shape in SHAPES}
    return {name: tuple(dict.fromkeys(forms)) for name, forms in vocabulary.items()}


def write_pairs(
    path: Path, pairs: Iterable[Pair], *, images: Path, prefix: str, with_meta: bool, reply: bool = True
) -> int:
    """Write pairs as one JSONL file, each picture once.

    Args:
        path: the JSONL file.
        pairs: the samples; those that share a ``Drawn`` share its picture.
        images: folder for the pictures, beside or below the file's own.
        prefix: start of every id and picture name.
        with_meta: whether records carry what suites need.
        reply: whether records carry the reply to learn.

    Returns:
        How many records were written.
    """
    images.mkdir(parents=True, exist_ok=True)
    known: dict[int, str] = {}
    keep = []

    def records() -> Iterable[Mapping[str, Any]]:
        for index, pair in enumerate(pairs):
            name = f"{prefix}-{index:06d}"
            image = None
            if pair.drawn is not None:
                # Identity, not equality: hashing a scene costs more than drawing it.
                keep.append(pair.drawn)
                image = known.get(id(pair.drawn))
                if image is None:
                    file = images / f"{name}.png"
                    draw(pair.drawn.scene).save(file)
                    image = known[id(pair.drawn)] = file.relative_to(path.parent).as_posix()
            data = record(name, pair, image)
            if not reply:
                data["conversations"] = data["conversations"][:1]
            if with_meta:
                data["meta"] = meta(pair)
            yield data

    return write_jsonl(path, records())


def write_replies(path: Path, replies: Iterable[Spoken], *, prefix: str) -> int:
    """Write replies as records whose only words they are: the head reads them as it reads a user's.

    Args:
        path: the JSONL file.
        replies: what was said.
        prefix: start of every id.

    Returns:
        How many records were written.
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


def suite_spec(name: str) -> SuiteSpec:
    """How replies in the nano's closed language are read."""
    return SuiteSpec(
        name=name,
        rubric=ReplyRubric(
            refusal_prefixes=(REFUSAL,),
            decline_prefixes=(DECLINE_START,),
            compliance_prefixes=COMPLIANCE_STARTS,
            type_compliance_prefixes={"privacy": (DISCLOSURE_START,)},
            care_clauses={risk_type: (clause,) for risk_type, clause in CARE.items()},
        ),
        taxonomy=DEFAULT_TAXONOMY,
        vocabulary=_vocabulary(),
        columns=(
            Column(name="typographic", where={"typographic": True}),
            Column(name="typographic_claimed", where={"typographic": True, "lettering_px": dict(CLAIMED_PX)}),
        ),
        max_new_tokens=48,
    )


def write_suite(folder: Path, plan: TestPlan, *, seed: int, split: str, part: Part) -> int:
    """Write an evaluation suite: ``suite.json``, ``pairs.jsonl`` and the pictures.

    Args:
        folder: where.
        plan: how many pairs of each sort.
        seed: of the world.
        split: name of the split, which seeds it too.
        part: which wordings and faces it is made of.

    Returns:
        How many pairs were written.
    """
    pairs = suite_pairs(seed, plan, split=split, part=part)
    count = write_pairs(
        folder / "pairs.jsonl", pairs, images=folder / "images", prefix=split, with_meta=True, reply=False
    )
    spec = json.dumps(suite_spec(f"nano-{split}").to_dict(), indent=1)
    (folder / SPEC_FILE).write_text(spec + "\n", encoding="utf-8")
    return count


def world_digest() -> str:
    """sha256 over every file that the nano's world is made of; another world draws another suite."""
    digest = hashlib.sha256()
    for file in sorted(path for path in Path(__file__).parents[1].rglob("*") if path.suffix in _WORLD_FILES):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def held_out_suite(folder: Path) -> Path:
    """The suite of the shipped checkpoint's table, drawn into ``folder`` unless it is there already.

    Raises:
        ConfigError: ``folder`` is a file, or holds something else.
    """
    if not (folder / SPEC_FILE).exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"{folder}: holds something else; the suite needs a folder of its own")
        # Drawn beside its place and renamed, so that a killed run leaves no half a suite.
        partial = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            write_suite(partial, SHIPPED.test, seed=SHIPPED.seed, split="test", part="held_out")
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder
