"""``safevlm.json``: the description of a checkpoint. Knows no torch and opens no other file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel, ValidationError

from safety_core.errors import CheckpointError, ConfigError, FormatVersionError
from safety_core.files import describe_read_error, read_json
from safety_core.inputs.chat_template import PromptTemplate
from safety_core.inputs.head_texts import TextViews
from safety_core.lettering.readers import check_reader
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.policy.named_policies import Hints
from safety_core.score_calibration import ScoreCalibration
from safety_core.strict_json import StrictModel, find_problem, parse_model
from safety_core.taxonomy import Taxonomy

FORMAT_VERSION = 1
SPEC_FILE = "safevlm.json"
POLICY_FILE = "policy.json"


class _SpecFields(StrictModel):
    format_version: Literal[1]
    backbone: dict[Literal["path", "hub_id", "revision"], str]
    dims: dict[str, Any]
    config: dict[str, Any]
    taxonomy: dict[str, Any]
    hints: dict[str, Any]
    provenance: dict[str, Any]
    prompt: dict[str, Any] = Field(default_factory=dict)
    reader: str | None = None
    text_views: dict[str, Any] = Field(default_factory=dict)
    score_calibration: dict[str, Any] = Field(default_factory=dict)
    """It and the three fields before may be missing."""


class _HintFields(RootModel[dict[str, dict[str, str]]]):
    model_config = ConfigDict(strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneRef:
    """Location of the backbone's weights: a folder or a hub repository.

    Raises:
        ConfigError: neither or both are given, or a hub repository has no revision.
    """

    path: str | None = None
    """Folder, relative to the checkpoint (or absolute while a model is in memory)."""

    hub_id: str | None = None
    """Repository on the Hugging Face hub."""

    revision: str | None = None
    """Commit of that repository, so that the weights never change."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.hub_id is None):
            raise ConfigError("backbone: exactly one of path and hub_id is needed")
        if (self.hub_id is None) != (self.revision is None):
            raise ConfigError("backbone.revision: a hub repository needs one, a folder has none")

    @property
    def location(self) -> str:
        """Argument for ``from_pretrained``."""
        return str(self.hub_id if self.path is None else self.path)

    def make_absolute(self, checkpoint: Path) -> "BackboneRef":
        """Return the same location with an absolute path, for a checkpoint in this folder."""
        return self if self.path is None else BackboneRef(path=str((checkpoint / self.path).resolve()))

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        named = {"path": self.path, "hub_id": self.hub_id, "revision": self.revision}
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSpec:
    """The content of ``safevlm.json``."""

    backbone: BackboneRef
    """Location of the backbone."""

    dims: BackboneDims
    """Sizes of the backbone; compared with its config on loading."""

    config: SafetyConfig
    """Shape and switches of the safety modules."""

    taxonomy: Taxonomy
    """Names of the head's classes."""

    hints: Hints
    """Hints that the model was trained on."""

    provenance: Mapping[str, object]
    """Origin of the modules; ``trained`` (bool) is always present."""

    prompt: PromptTemplate | None = None
    """Format of conversations; None for LLaVA-1.5's."""

    reader: str | None = None
    """Reader of lettering whose texts the safety head was trained on; None if it was not trained on lettering."""

    text_views: TextViews = field(default_factory=TextViews)
    """Texts of a conversation that the head judges."""

    score_calibration: ScoreCalibration = field(default_factory=ScoreCalibration)
    """How the head's probabilities are recalibrated."""

    @property
    def trained(self) -> bool:
        """Whether the safety modules were trained."""
        return self.provenance["trained"] is True

    @classmethod
    def parse(cls, data: object) -> "CheckpointSpec":
        """Parse the JSON form.

        Raises:
            FormatVersionError: the format version differs from the version that this code writes.
            ConfigError: a field is missing, unknown or malformed.
        """
        if isinstance(data, Mapping) and data.get("format_version") != FORMAT_VERSION:
            found = data.get("format_version")
            raise FormatVersionError(f"{SPEC_FILE}: format version {found!r} is unknown, {FORMAT_VERSION} is needed")
        try:
            fields = _SpecFields.model_validate(data)
        except ValidationError as exc:
            raise ConfigError(str(find_problem(exc))) from exc
        taxonomy = Taxonomy.parse(fields.taxonomy)
        return cls(
            backbone=BackboneRef(**fields.backbone),
            dims=BackboneDims.parse(fields.dims),
            config=SafetyConfig.parse(fields.config),
            taxonomy=taxonomy,
            hints=parse_hints(fields.hints, taxonomy),
            provenance=check_provenance(fields.provenance),
            prompt=PromptTemplate.parse(fields.prompt) if "prompt" in fields.model_fields_set else None,
            reader=None if fields.reader is None else check_reader(fields.reader),
            text_views=TextViews.parse(fields.text_views) if "text_views" in fields.model_fields_set else TextViews(),
            score_calibration=ScoreCalibration.parse(fields.score_calibration, num_levels=len(taxonomy.levels)),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that :meth:`parse` reads."""
        return {
            "format_version": FORMAT_VERSION,
            "backbone": self.backbone.to_dict(),
            "dims": self.dims.to_dict(),
            "config": self.config.to_dict(),
            "taxonomy": self.taxonomy.to_dict(),
            "hints": serialize_hints(self.hints, self.taxonomy),
            "provenance": dict(self.provenance),
            # Omitted for LLaVA-1.5's format, so that older code can read the file.
            **({} if self.prompt is None else {"prompt": self.prompt.to_dict()}),
            **({} if self.reader is None else {"reader": self.reader}),
            **({} if self.text_views == TextViews() else {"text_views": asdict(self.text_views)}),
            # Omitted for raw scores; older code, which would serve other scores, rejects the file with the field.
            **(
                {}
                if self.score_calibration == ScoreCalibration()
                else {"score_calibration": self.score_calibration.to_dict()}
            ),
        }


def read_spec(checkpoint: Path) -> CheckpointSpec:
    """Read ``safevlm.json`` of a checkpoint directory; the manifest is not checked here.

    Raises:
        CheckpointError: the file is missing, is not JSON, or its content is malformed.
    """
    try:
        data = read_json(checkpoint / SPEC_FILE)
    except FileNotFoundError as exc:
        raise CheckpointError(f"{checkpoint.name}: {SPEC_FILE} is missing") from exc
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"{checkpoint.name}: {SPEC_FILE} {describe_read_error(exc, 'JSON')}") from exc
    try:
        return CheckpointSpec.parse(data)
    except ConfigError as exc:
        raise CheckpointError(f"{checkpoint.name}: {SPEC_FILE}: {exc}") from exc


def write_spec(checkpoint: Path, spec: CheckpointSpec) -> Path:
    """Write ``safevlm.json``; the manifest must be rewritten afterwards."""
    file = checkpoint / SPEC_FILE
    file.write_text(json.dumps(spec.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def parse_hints(data: object, taxonomy: Taxonomy) -> dict[str, dict[int, str]]:
    """Convert hints keyed by type and level *name* to hints keyed by type and level index.

    Raises:
        ConfigError: a type is not risky, a level is not between the first and the last, or a text is empty.
    """
    levels = {name: index for index, name in enumerate(taxonomy.levels)}
    for end in (taxonomy.levels[0], taxonomy.levels[-1]):
        del levels[end]
    hints: dict[str, dict[int, str]] = {}
    for kind, texts in parse_model(_HintFields, data, where="hints").root.items():
        if kind not in taxonomy.risky_types:
            raise ConfigError(f"hints: a type must be one of {list(taxonomy.risky_types)}, got {kind!r}")
        hints[kind] = {}
        for level, text in texts.items():
            if level not in levels:
                raise ConfigError(f"hints.{kind}: a level must be one of {list(levels)}, got {level!r}")
            if not text.strip():
                raise ConfigError(f"hints.{kind}.{level}: a non-blank string is needed")
            hints[kind][levels[level]] = text
    return hints


def serialize_hints(hints: Hints, taxonomy: Taxonomy) -> dict[str, dict[str, str]]:
    """Convert hints to the JSON form that :func:`parse_hints` reads, and check it by parsing."""
    data = {kind: {taxonomy.levels[level]: text for level, text in texts.items()} for kind, texts in hints.items()}
    parse_hints(data, taxonomy)
    return data


def check_provenance(provenance: Mapping[str, object]) -> Mapping[str, object]:
    """Return the provenance; raises ConfigError unless it states whether the modules were trained."""
    if not isinstance(provenance.get("trained"), bool):
        raise ConfigError("provenance.trained: true or false is needed")
    return provenance
