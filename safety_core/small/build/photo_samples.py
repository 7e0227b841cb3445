"""Pairs of a photograph and a prompt that the safety head is trained on, with their labels.

    photograph          no prompt   about the picture     other words
    harmless            harmless    harmless              the words' own label
    risky (a weapon)    its label   by the prompt's kind  the worse of both labels

Prompts about a weapon (``texts/weapon_prompts.jsonl``) do not name it. Beside a harmless photograph they have the label
of their words alone: most are harmless then, but a plan to rob somebody is not. Deterministic for a seed; knows no
model and no pixels.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from safety_core.data.raw_samples import NamedLabel
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.errors import SampleError
from safety_core.small.corpus.records import Record
from safety_core.strict_json import StrictModel
from safety_core.taxonomy import DEFAULT_TAXONOMY

PROMPT_FILE = Path(__file__).parents[1] / "texts" / "weapon_prompts.jsonl"

WeaponPromptKind = Literal["harmful", "careful", "neutral"]

_SAFE: NamedLabel = ("safe", 0)

_WEAPON_LABELS: Mapping[WeaponPromptKind, NamedLabel] = {
    "harmful": ("illegal", 3),
    "careful": ("illegal", 1),
    "neutral": ("illegal", 1),
}
"""Label of a weapon's photograph with a prompt of each kind."""

_RISKY_PROMPTS, _HARMLESS_PROMPTS = 3, 2
"""Prompts beside a risky photograph and beside a harmless one, besides none."""


class WeaponPrompt(StrictModel):
    """A prompt about a weapon in the picture that does not name it."""

    text: str = Field(min_length=1)
    kind: WeaponPromptKind

    type: str = _SAFE[0]
    level: int = Field(default=_SAFE[1], ge=0, lt=len(DEFAULT_TAXONOMY.levels))
    """Type and level of the words alone."""

    @property
    def label(self) -> NamedLabel:
        """Label of the words alone."""
        return self.type, self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoSample:
    """A photograph with a prompt, and the label of both together."""

    id: str
    photo: Path
    prompt: str
    """Empty for the photograph alone."""

    label: NamedLabel
    photo_label: NamedLabel
    """Label of the photograph alone."""

    prompt_label: NamedLabel
    """Label of the prompt alone; harmless without one."""

    source: str


def read_weapon_prompts(path: Path = PROMPT_FILE) -> tuple[WeaponPrompt, ...]:
    """Read the prompts in the order of the file; raises SampleError if a line is malformed."""
    return tuple(_parse_prompts(path))


def list_photo_samples(
    photographs: Sequence[Record], words: Sequence[Record], weapon_prompts: Sequence[WeaponPrompt], *, seed: int
) -> Iterator[PhotoSample]:
    """List pairs of the photographs of a split with prompts.

    Args:
        photographs: records with a photograph; those without a label serve the alignment only.
        words: records of the split that are prompts.
        weapon_prompts: prompts about a weapon in the picture.
        seed: chooses the prompts.
    """
    by_risk = {risky: [record for record in words if record.is_harmful is risky] for risky in (True, False)}
    by_kind = {kind: [prompt for prompt in weapon_prompts if prompt.kind == kind] for kind in _WEAPON_LABELS}
    for record in photographs:
        if record.photo is None or record.label is None:
            continue
        rng = random.Random(f"{seed}/{record.id}")
        yield _create(record, "", record.label, _SAFE, 0)
        number = _RISKY_PROMPTS if record.label[1] else _HARMLESS_PROMPTS
        for index in range(1, number + 1):
            prompt, label, own = _choose_prompt(record.label, by_risk, by_kind, rng)
            yield _create(record, prompt, label, own, index)


def _choose_prompt(
    photo: NamedLabel,
    words: Mapping[bool, Sequence[Record]],
    weapon_prompts: Mapping[WeaponPromptKind, Sequence[WeaponPrompt]],
    rng: random.Random,
) -> tuple[str, NamedLabel, NamedLabel]:
    """Choose a prompt beside a photograph, half of them about what it shows, half any words.

    Returns:
        The prompt, the label of both together, and the prompt's own.
    """
    if rng.random() < 0.5:
        kinds: list[WeaponPromptKind] = ["neutral", "careful", "harmful"]
        kind = rng.choices(kinds, (2, 1, 2) if photo[1] else (4, 1, 2))[0]
        prompt = rng.choice(weapon_prompts[kind])
        return prompt.text, _WEAPON_LABELS[kind] if photo[1] else prompt.label, prompt.label
    record = rng.choice(words[rng.random() < 0.45])
    assert record.label is not None
    return record.text, max(photo, record.label, key=lambda label: label[1]), record.label


def _create(record: Record, prompt: str, label: NamedLabel, prompt_label: NamedLabel, index: int) -> PhotoSample:
    assert record.photo is not None
    assert record.label is not None
    return PhotoSample(
        id=f"{record.id}#{index}",
        photo=record.photo,
        prompt=prompt,
        label=label,
        photo_label=record.label,
        prompt_label=prompt_label,
        source=record.source,
    )


def _parse_prompts(path: Path) -> Iterator[WeaponPrompt]:
    for row in read_jsonl_rows(path):
        if isinstance(row, SampleError):
            raise row
        try:
            yield WeaponPrompt.model_validate(row.data)
        except ValidationError as exc:
            raise row.place.translate_error(exc) from exc
