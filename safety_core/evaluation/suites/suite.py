"""A suite: the pairs that every row is measured on, and how their replies are to be read.

A folder with ``suite.json``, a JSONL file of training records whose ``meta`` describes each pair, and the pictures.
Checked completely before anything is measured. Knows nothing of models, replies or statistics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from safety_core.data.samples import Sample, read_jsonl
from safety_core.errors import ConfigError
from safety_core.evaluation.suites.suite_spec import SuiteSpec
from safety_core.files import why_unreadable
from safety_core.taxonomy import Taxonomy

Kind = Literal["closed", "describe", "other"]

SPEC_FILE = "suite.json"

_FLAG: tuple[Callable[[Any], bool], str] = (lambda value: isinstance(value, bool), "true or false")
_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "content": (lambda value: isinstance(value, str), "a string"),
    "kind": (lambda value: value in get_args(Kind), f"one of {list(get_args(Kind))}"),
    "answer": (lambda value: value is None or (isinstance(value, str) and value != ""), "a string or null"),
    "lettering_px": (lambda value: value is None or type(value) is int, "an integer or null"),
    "needs_picture": _FLAG,
    "lookalike": _FLAG,
    "typographic": _FLAG,
    "prompt_decides": _FLAG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMeta:
    """What a pair is about, beside its label."""

    intent: str
    """What the prompt asks for, e.g. ``how_many``; exactness of closed questions is reported per intent."""

    content: str = ""
    """What the picture shows, in a word."""

    kind: Kind = "other"
    """``closed``: one right answer; ``describe``: a free description; ``other``: neither can be checked."""

    answer: str | None = None
    """The right answer of a closed question."""

    things: tuple[str, ...] = ()
    """Things that a description should name, by their names in the vocabulary."""

    needs_picture: bool = False
    """Whether the harm comes in through the picture: without it, the prompt asks for nothing harmful."""

    lookalike: bool = False
    """Whether a risky-looking picture comes with an innocent question."""

    typographic: bool = False
    """Whether the request is rendered into the picture."""

    prompt_decides: bool = False
    """Whether the label differs from that of the picture without a prompt."""

    lettering_px: int | None = None
    """Height of rendered lettering in pixels."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields that a suite's columns may select by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One picture-and-prompt pair of a suite."""

    sample: Sample
    """Pictures, prompt and gold label."""

    meta: PairMeta
    """What the pair is about."""

    @property
    def cluster(self) -> Hashable:
        """Pairs of one picture are one cluster of the bootstrap; a pair without a picture is its own."""
        return self.sample.images or self.sample.id

    def fields(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """What a column can select by."""
        own = {name: getattr(self.meta, name) for name in PairMeta.__dataclass_fields__ if name != "extra"}
        label = self.sample.label
        names = {"type": taxonomy.types[label.type], "level": taxonomy.levels[label.level]}
        return {**self.meta.extra, **own, **names, "source": self.sample.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite that was read and checked."""

    path: Path
    """Its folder."""

    spec: SuiteSpec
    """Its ``suite.json``."""

    pairs: tuple[Pair, ...]
    """Its pairs, in file order."""

    sha256: str
    """Digest of ``suite.json``, the records and every picture: equal digests mean equal questions."""


def load_suite(path: Path | str) -> Suite:
    """Read and check a suite's folder.

    Raises:
        ConfigError: ``suite.json`` is missing or malformed, or there are no pairs.
        SampleError: a record is malformed, with file, line and field.
    """
    folder = Path(path)
    try:
        raw = (folder / SPEC_FILE).read_bytes()
        spec = SuiteSpec.from_dict(json.loads(raw))
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{folder / SPEC_FILE}: {why_unreadable(exc, 'JSON')}") from exc
    records = folder / spec.pairs_file
    pairs = tuple(
        Pair(sample=sample, meta=_meta(sample, spec)) for sample in read_jsonl(records, spec.taxonomy).samples
    )
    if not pairs:
        raise ConfigError(f"{records}: a suite needs at least one pair")
    digest = hashlib.sha256(hashlib.sha256(raw).digest() + hashlib.sha256(records.read_bytes()).digest())
    for image in sorted({image for pair in pairs for image in pair.sample.images}):
        digest.update(hashlib.sha256(image.read_bytes()).digest())
    return Suite(path=folder, spec=spec, pairs=pairs, sha256=digest.hexdigest())


def _meta(sample: Sample, spec: SuiteSpec) -> PairMeta:
    """A record's ``meta``, checked."""
    data = dict(sample.meta)
    if not sample.turns:
        raise sample.error("a pair of a suite needs a prompt", "conversations")
    if not isinstance(data.get("intent"), str) or not data["intent"]:
        raise sample.error("a non-empty string is needed", "meta.intent")
    values: dict[str, Any] = {"intent": data.pop("intent")}

    def known_things(value: object) -> bool:
        return isinstance(value, list) and all(isinstance(item, str) and item in spec.vocabulary for item in value)

    checks = dict(_CHECKS) | {"things": (known_things, "a list of things from the vocabulary")}
    for name in checks.keys() & data.keys():
        fits, wanted = checks[name]
        if not fits(data[name]):
            raise sample.error(f"{wanted} is needed", f"meta.{name}")
        values[name] = data.pop(name)
    values["things"] = tuple(values.get("things", ()))
    meta = PairMeta(**values, extra=data)
    if meta.kind == "closed" and meta.answer is None:
        raise sample.error("a closed question needs its answer", "meta.answer")
    return meta
