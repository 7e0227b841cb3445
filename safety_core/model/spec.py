"""``safevlm.json``: what a checkpoint says about itself. Knows no torch and opens no other file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safety_core.errors import CheckpointError, ConfigError, FormatVersionError
from safety_core.files import read_json
from safety_core.inputs.chat_template import PromptTemplate
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.policy.book import Hints
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1
SPEC_FILE = "safevlm.json"
POLICY_FILE = "policy.json"

_FIELDS = ("format_version", "backbone", "dims", "config", "taxonomy", "hints", "provenance")
_PROMPT = "prompt"
"""The field that may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneRef:
    """Where the backbone's weights are: a folder or a hub repository.

    Raises:
        ConfigError: neither or both are named, or a hub repository has no pinned revision.
    """

    path: str | None = None
    """Folder, relative to the checkpoint (or absolute while a model is in memory)."""

    hub_id: str | None = None
    """Repository on the Hugging Face hub."""

    revision: str | None = None
    """Commit of that repository; without one, tomorrow's weights could be others than today's."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.hub_id is None):
            raise ConfigError("backbone: exactly one of path and hub_id is needed")
        if (self.hub_id is None) != (self.revision is None):
            raise ConfigError("backbone.revision: a hub repository needs one, a folder has none")

    @property
    def location(self) -> str:
        """What ``from_pretrained`` takes."""
        return str(self.hub_id if self.path is None else self.path)

    def make_absolute(self, checkpoint: Path) -> "BackboneRef":
        """The same place with an absolute path, for a checkpoint in this folder."""
        return self if self.path is None else BackboneRef(path=str((checkpoint / self.path).resolve()))

    def to_dict(self) -> dict[str, str]:
        """The JSON form."""
        named = {"path": self.path, "hub_id": self.hub_id, "revision": self.revision}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSpec:
    """The content of ``safevlm.json``."""

    backbone: BackboneRef
    """Where the backbone is."""

    dims: BackboneDims
    """Its sizes, so that the modules' shapes are known without it; compared with it on loading."""

    config: SafetyConfig
    """Shape and switches of the safety modules."""

    taxonomy: Taxonomy
    """Names of the head's classes."""

    hints: Hints
    """The hints that the model was trained on."""

    provenance: Mapping[str, object]
    """How the modules came to be; ``trained`` (bool) is always there."""

    prompt: PromptTemplate | None = None
    """The format of conversations; None for LLaVA-1.5's."""

    @property
    def trained(self) -> bool:
        """Whether the safety modules were ever trained."""
        return self.provenance["trained"] is True

    @classmethod
    def from_dict(cls, data: object) -> "CheckpointSpec":
        """Read the JSON form.

        Raises:
            FormatVersionError: the format version is not the one this code writes.
            ConfigError: a field is missing, unknown or malformed.
        """
        if not isinstance(data, Mapping):
            raise ConfigError(f"{SPEC_FILE}: an object is needed, got {type(data).__name__}")
        if data.get("format_version") != FORMAT_VERSION:
            found = data.get("format_version")
            raise FormatVersionError(f"{SPEC_FILE}: format version {found!r} is unknown, {FORMAT_VERSION} is needed")
        if set(data) - {_PROMPT} != set(_FIELDS):
            missing, unknown = sorted(set(_FIELDS) - set(data)), sorted(set(data) - set(_FIELDS))
            raise ConfigError(f"{SPEC_FILE}: missing fields {missing}, unknown fields {unknown}")
        taxonomy = Taxonomy.parse(_object(data["taxonomy"], "taxonomy"))
        return cls(
            backbone=_backbone(_object(data["backbone"], "backbone")),
            dims=BackboneDims.from_dict(data["dims"]),
            config=SafetyConfig.from_dict(data["config"]),
            taxonomy=taxonomy,
            hints=parse_hints(_object(data["hints"], "hints"), taxonomy),
            provenance=check_provenance(_object(data["provenance"], "provenance")),
            prompt=PromptTemplate.parse(data[_PROMPT]) if _PROMPT in data else None,
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON form that :meth:`from_dict` reads."""
        return {
            "format_version": FORMAT_VERSION,
            "backbone": self.backbone.to_dict(),
            "dims": self.dims.to_dict(),
            "config": self.config.to_dict(),
            "taxonomy": self.taxonomy.to_dict(),
            "hints": serialize_hints(self.hints, self.taxonomy),
            "provenance": dict(self.provenance),
            # Only where it is another format: what older code reads stays as it was.
            **({} if self.prompt is None else {_PROMPT: self.prompt.to_dict()}),
        }


def read_spec(checkpoint: Path) -> CheckpointSpec:
    """Read ``safevlm.json`` of a checkpoint directory; the manifest is not checked here.

    Raises:
        CheckpointError: the file is missing, is not JSON, or its content is malformed.
    """
    file = checkpoint / SPEC_FILE
    try:
        data = read_json(file)
    except FileNotFoundError as exc:
        raise CheckpointError(f"{checkpoint.name}: {SPEC_FILE} is missing") from exc
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"{checkpoint.name}: {SPEC_FILE} cannot be read as JSON") from exc
    try:
        return CheckpointSpec.from_dict(data)
    except ConfigError as exc:
        raise CheckpointError(f"{checkpoint.name}: {exc}") from exc


def write_spec(checkpoint: Path, spec: CheckpointSpec) -> Path:
    """Write ``safevlm.json``; the manifest must be written anew afterwards."""
    file = checkpoint / SPEC_FILE
    file.write_text(json.dumps(spec.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def parse_hints(data: Mapping[str, object], taxonomy: Taxonomy) -> dict[str, dict[int, str]]:
    """Hints keyed by type and level *name* → keyed by type and level index.

    Raises:
        ConfigError: a type is not risky, a level is not between the first and the last, or a text is empty.
    """
    middle = {name: index for index, name in enumerate(taxonomy.levels)}
    for end in (taxonomy.levels[0], taxonomy.levels[-1]):
        del middle[end]
    hints: dict[str, dict[int, str]] = {}
    for kind, texts in data.items():
        if kind not in taxonomy.risky_types:
            raise ConfigError(f"hints: {kind!r} is not one of {list(taxonomy.risky_types)}")
        hints[kind] = {}
        for level, text in _object(texts, f"hints.{kind}").items():
            if level not in middle:
                raise ConfigError(f"hints.{kind}: {level!r} is not one of {list(middle)}")
            if not isinstance(text, str) or not text.strip():
                raise ConfigError(f"hints.{kind}.{level}: a text is needed")
            hints[kind][middle[level]] = text
    return hints


def serialize_hints(hints: Hints, taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    """The JSON form that :func:`parse_hints` reads; checked by reading it."""
    data = {kind: {taxonomy.levels[level]: text for level, text in texts.items()} for kind, texts in hints.items()}
    parse_hints(data, taxonomy)
    return data


def check_provenance(provenance: Mapping[str, object]) -> Mapping[str, object]:
    """Raise ConfigError unless it says whether the modules were trained."""
    if not isinstance(provenance.get("trained"), bool):
        raise ConfigError("provenance.trained: true or false is needed")
    return provenance


def _backbone(data: Mapping[str, object]) -> BackboneRef:
    if not set(data) <= {"path", "hub_id", "revision"} or not all(isinstance(value, str) for value in data.values()):
        raise ConfigError("backbone: path, or hub_id and revision, are needed as strings and nothing else")
    return BackboneRef(**{key: str(value) for key, value in data.items()})


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: an object is needed, got {type(value).__name__}")
    return value
