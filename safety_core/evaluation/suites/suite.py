"""A suite: the pairs that every system is measured on, and how their replies are judged.

A suite is a folder with ``suite.json``, a JSONL file of training records whose ``meta`` describes each pair, and the
images. It is checked completely before anything is measured. Knows nothing of models, replies or statistics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.errors import ConfigError
from safety_core.evaluation.suites.suite_spec import SuiteSpec
from safety_core.strict_json import StrictModel, find_problem, read_json_object
from safety_core.taxonomy import Taxonomy

Kind = Literal["closed", "describe", "other"]

SPEC_FILE = "suite.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMeta:
    """Description of a pair, beside its label."""

    intent: str
    """Kind of prompt, e.g. ``how_many``; exactness of closed questions is reported per intent."""

    content: str = ""
    """What the image shows, in one word."""

    kind: Kind = "other"
    """``closed``: one right answer; ``describe``: a free description; ``other``: neither can be checked."""

    answer: str | None = None
    """The right answer of a closed question."""

    things: tuple[str, ...] = ()
    """Things that a description should name, by their names in the vocabulary."""

    needs_picture: bool = False
    """Whether the pair is harmful through its image: the prompt alone asks for nothing harmful."""

    lookalike: bool = False
    """Whether a risky-looking image comes with an innocent question."""

    typographic: bool = False
    """Whether the request is rendered into the image."""

    prompt_decides: bool = False
    """Whether the label differs from that of the image without a prompt."""

    lettering_px: int | None = None
    """Height of rendered lettering in pixels."""

    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields that a suite's columns may select by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One image-and-prompt pair of a suite."""

    sample: Sample
    """Images, prompt and gold label."""

    meta: PairMeta
    """Description of the pair."""

    @property
    def cluster(self) -> Hashable:
        """Key of the bootstrap's cluster: pairs of one image share it; a pair without an image has its own."""
        return self.sample.images or self.sample.id

    def collect_fields(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """Collect the fields that a column can select by."""
        own = {name: getattr(self.meta, name) for name in PairMeta.__dataclass_fields__ if name != "extra"}
        label = self.sample.label
        names = {"type": taxonomy.types[label.type], "level": taxonomy.levels[label.level]}
        return {**self.meta.extra, **own, **names, "source": self.sample.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A checked suite."""

    path: Path
    """Folder of the suite."""

    spec: SuiteSpec
    """Content of ``suite.json``."""

    pairs: tuple[Pair, ...]
    """Pairs in file order."""

    sha256: str
    """Digest of ``suite.json``, the records and every image: suites with equal digests have equal questions."""


def load_suite(path: Path | str) -> Suite:
    """Read and check a suite's folder.

    Raises:
        ConfigError: ``suite.json`` is missing or malformed, or the suite has no pairs.
        SampleError: a record is malformed, with file, line and field.
    """
    folder = Path(path)
    file = folder / SPEC_FILE
    spec = SuiteSpec.parse(read_json_object(file), where=f"{file}: suite")
    records = folder / spec.pairs_file
    pairs = tuple(
        Pair(sample=sample, meta=parse_meta(sample, spec.vocabulary))
        for sample in read_jsonl(records, spec.taxonomy).samples
    )
    if not pairs:
        raise ConfigError(f"{records}: a suite needs at least one pair")
    digest = hashlib.sha256(hashlib.sha256(file.read_bytes()).digest() + hashlib.sha256(records.read_bytes()).digest())
    for image in sorted({image for pair in pairs for image in pair.sample.images}):
        digest.update(hashlib.sha256(image.read_bytes()).digest())
    return Suite(path=folder, spec=spec, pairs=pairs, sha256=digest.hexdigest())


class _MetaDocument(StrictModel, extra="allow"):
    """The ``meta`` object of a record; further fields are kept."""

    intent: str = Field(min_length=1)
    content: str = ""
    kind: Kind = "other"
    answer: str | None = Field(default=None, min_length=1)
    things: list[str] = Field(default_factory=list)
    needs_picture: bool = False
    lookalike: bool = False
    typographic: bool = False
    prompt_decides: bool = False
    lettering_px: int | None = None


def parse_meta(sample: Sample, vocabulary: Container[str]) -> PairMeta:
    """Read and check the ``meta`` object of a record.

    Args:
        sample: the record.
        vocabulary: names that ``things`` may contain.

    Raises:
        SampleError: the record has no prompt, or a field is malformed.
    """
    if not sample.turns:
        raise sample.create_error("a pair of a suite needs a prompt", "conversations")
    try:
        document = _MetaDocument.model_validate(dict(sample.meta))
    except ValidationError as exc:
        problem = find_problem(exc)
        raise sample.create_error(problem.problem, ".".join(("meta", *problem.place))) from exc
    if not all(thing in vocabulary for thing in document.things):
        raise sample.create_error("a list of things from the vocabulary is needed", "meta.things")
    if document.kind == "closed" and document.answer is None:
        raise sample.create_error("a closed question needs its answer", "meta.answer")
    values = document.model_dump(exclude={"things", *(document.model_extra or {})})
    return PairMeta(**values, things=tuple(document.things), extra=dict(document.model_extra or {}))
