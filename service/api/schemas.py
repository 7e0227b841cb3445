"""Requests and replies as JSON: the shapes that clients rely on.

A field that a client should not see is left unset, and unset fields are not sent; ``null`` is sent where it means
something. Limits that operators set are checked elsewhere: here is only what no server would accept.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from service.ingress.validation import BRANCH, NOT_SUPPORTED

SEED_LIMIT = 2**63

_KINDS = {str: "string", list: "array", dict: "object", bool: "boolean", int: "number", float: "number"}


def kind_of(value: object) -> str:
    """Tag of the branch for a value's JSON type, such as ``=string``: discriminates unions of different types.

    Without it pydantic tries every branch and reports the errors of all of them, the first branch's first.
    """
    return BRANCH + _KINDS.get(type(value), "null")


@dataclass(frozen=True, slots=True, eq=False)  # typing keeps one of equal annotations, and 0 equals False
class Neutral:
    """Annotation of an unsupported field: accepted with values that change nothing, rejected with others.

    ``null`` is always neutral. A ``Literal`` would not work: it treats 0 as False, and its error does not mention
    support.
    """

    values: tuple[JsonValue, ...]
    """The other neutral values."""

    members: bool = False
    """Whether an object is also neutral if the values of all its members are."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by comparison."""
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The neutral values as an enumeration."""
        neutral: JsonSchemaValue = {"enum": [None, *self.values]}
        if not self.members:
            return neutral
        return {"anyOf": [neutral, {"type": "object", "additionalProperties": neutral}]}

    def _checked(self, value: Any) -> Any:
        if self._is_neutral(value):
            return value
        if self.members and isinstance(value, dict) and all(map(self._is_neutral, value.values())):
            return value
        raise PydanticCustomError(NOT_SUPPORTED, "{neutral}", {"neutral": self._described()})

    def _is_neutral(self, value: object) -> bool:
        return value is None or any(
            isinstance(value, bool) == isinstance(neutral, bool) and value == neutral for neutral in self.values
        )

    def _described(self) -> str:
        """The neutral values in words, such as ``none or auto``; ``null`` only where it is the only one."""
        shown = [value if isinstance(value, str) and value else json.dumps(value) for value in self.values]
        return "empty or null" if self.members else " or ".join(shown) or "null"


def neutral(*values: JsonValue) -> Neutral:
    """A field that may be ``null`` or one of ``values``."""
    return Neutral(values)


EMPTY = Neutral(("", [], {}), members=True)
"""A field that may be ``null``, empty, or an object of such values, because other values could be unjudged text."""

PolicyName = Annotated[
    str | None,
    Field(max_length=64, description="Name of the policy that decides, where the operator lets clients choose."),
]
Language = Annotated[
    str | None,
    Field(
        max_length=64,
        description=(
            "Language (BCP 47) of a refusal, before `Accept-Language`; the policy's own where it is not translated."
        ),
    ),
]


class Options(BaseModel):
    """Fields that multipart and JSON requests share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | None = Field(default=None, description="What is asked about the images, or by itself.")
    stream: bool | None = Field(default=None, description="Answer with Server-Sent Events (chat only).")
    max_tokens: int | None = Field(default=None, ge=1, description="Most tokens of the reply.")
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False, description="0 is deterministic.")
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False, description="Nucleus to draw from.")
    seed: int | None = Field(default=None, ge=-SEED_LIMIT, lt=SEED_LIMIT, description="Makes draws repeatable.")
    explain: bool | None = Field(default=None, description="Add heatmaps that show where the safety head looked.")
    policy: PolicyName = None
    language: Language = None


NOT_BLANK: dict[str, JsonValue] = {"type": "string", "pattern": r"[^\s\u001c-\u001f\u0085]|\ufeff"}
"""Schema of a text that ``str.strip`` leaves something of: JSON Schema's regular expressions know other white space."""


def whole(*fields: str) -> Any:
    """A validator that reads ``5.0`` as 5, as JSON Schema does, and strict types do not."""

    def read(value: object) -> object:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return field_validator(*fields, mode="before")(read)


Picture = Annotated[str, Field(json_schema_extra={"format": "image"})]
"""Base64, a base64 data URL, or the https URL of a host that the operator lists."""


class FormRequest(Options):
    """A request as ``multipart/form-data``, whose values are texts, spelled as in JSON."""

    @field_validator("stream", "explain", mode="before")
    @classmethod
    def _true_or_false(cls, value: object) -> object:
        if isinstance(value, str) and value.lower() not in ("true", "false"):
            raise PydanticCustomError("bool_parsing", "Input should be true or false")
        return value


class JsonRequest(Options):
    """A request as ``application/json``, whose values have types: ``"true"`` is a text."""

    model_config = ConfigDict(strict=True)

    _whole = whole("max_tokens", "seed")

    images: Annotated[list[Picture] | None, Field(description="Images as base64, base64 data URLs or URLs.")] = None


class Sent(BaseModel):
    """What the server sends; see the module's docstring for unset fields."""

    model_config = ConfigDict(frozen=True)

    def sent(self) -> dict[str, Any]:
        """The JSON object."""
        return self.model_dump(mode="json", exclude_unset=True)


class LevelOut(Sent):
    """A risk level."""

    index: int
    name: str


class SurfacesOut(Sent):
    """Unsafe probability of the image alone, the text alone, and both together; null where there is no such thing."""

    image: float | None
    text: float | None
    joint: float | None


class AssessmentOut(Sent):
    """The decision's risk, and the scores of the safety head."""

    type: str = Field(description="Risk type of the decision; the safe type if no level was reached.")
    level: LevelOut
    type_scores: dict[str, float] = Field(
        description="Probabilities from the safety head, on which the policy decides."
    )
    level_scores: dict[str, float]
    surfaces: SurfacesOut
    heatmap: str | None = Field(default=None, description="PNG data URL; only with `explain`.")


class UsageOut(Sent):
    """Tokens that the language model read and made."""

    prompt_tokens: int
    completion_tokens: int


class ClassifyTimings(Sent):
    """Milliseconds spent on each stage."""

    decode_ms: float
    queue_ms: float
    guard_ms: float


class ChatTimings(ClassifyTimings):
    """Milliseconds spent on each stage."""

    generate_ms: float


class ChatReply(Sent):
    """Reply of ``/v1/chat``; a refusal is one too."""

    id: str
    model: str
    decision: str = Field(description="`allowed`, `cautioned` or `refused`.")
    content: str | None
    refusal: str | None
    finish_reason: str = Field(description="`stop`, `length` or `content_filter`.")
    risk: AssessmentOut | None = None
    images_received: int
    images_scanned: int
    usage: UsageOut
    timings: ChatTimings | None = None


class ClassifyReply(Sent):
    """Reply of ``/v1/classify``."""

    id: str
    model: str
    flagged: bool
    decision: str
    risk: AssessmentOut | None = None
    images: list[AssessmentOut] | None = None
    images_received: int
    images_scanned: int
    timings: ClassifyTimings | None = None


class AssessmentEvent(Sent):
    """First event of a stream."""

    id: str
    decision: str
    risk: AssessmentOut | None = None


class DeltaEvent(Sent):
    """A piece of the reply, or else of the refusal; pieces join without separators."""

    content: str = Field(default="", description="Piece of the model's reply.")
    refusal: str = Field(default="", description="Piece of a refusal.")


class ModelOut(Sent):
    """What is served."""

    id: str
    object: str = "model"
    created: int = Field(description="Creation time of the checkpoint, in seconds since 1970.")
    owned_by: str = "safevlm"
    backbone: str
    risk_types: list[str]
    risk_levels: list[str]
    description: str = Field(default="", description="What the checkpoint is suitable and not suitable for.")


class ModelList(Sent):
    """Reply of ``/v1/models``."""

    object: str = "list"
    data: list[ModelOut]


class Health(Sent):
    """Reply of ``/healthz``."""

    status: str


class Ready(Health):
    """Reply of ``/readyz``."""

    detail: dict[str, str] | None = Field(default=None, description="What an operator should look at, if anything.")


class ErrorDetail(Sent):
    """What went wrong, without anything of the request."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorOut(Sent):
    """Reply of every failed request."""

    error: ErrorDetail
