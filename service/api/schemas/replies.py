"""Replies of the native endpoints: the JSON shapes that clients rely on.

A field that a client should not see is left unset, and unset fields are not sent; ``null`` is sent where it has a
meaning.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """Base of all response models; see the module's docstring for unset fields."""

    model_config = ConfigDict(frozen=True)

    def dump(self) -> dict[str, Any]:
        """Dump the JSON object without unset fields."""
        return self.model_dump(mode="json", exclude_unset=True)


class LevelOut(ResponseModel):
    """A risk level."""

    index: int
    name: str


class SurfacesOut(ResponseModel):
    """Unsafe probability of the image alone, the text alone, and both together; null if the request lacks the input."""

    image: float | None
    text: float | None
    joint: float | None
    lettering: float | None = Field(
        default=None, description="The worst text of the lettering in the images; absent if none was read."
    )


class NoveltyOut(ResponseModel):
    """How far the request lies outside of what the model was trained on, from 0 to 1.

    0.99 means that 99 % of familiar inputs lie less far outside; null if the request lacks the input.
    """

    score: float = Field(description="The larger of the two.")
    text: float | None
    image: float | None = Field(description="The image that lies furthest outside.")


class AssessmentOut(ResponseModel):
    """The decision's risk, and the scores of the safety head."""

    type: str = Field(description="Risk type of the decision; the safe type if no level was reached.")
    level: LevelOut
    type_scores: dict[str, float] = Field(
        description="Probabilities from the safety head, on which the policy decides."
    )
    level_scores: dict[str, float]
    surfaces: SurfacesOut
    novelty: NoveltyOut | None = Field(
        default=None, description="Of the request as a whole; absent if the model does not measure it."
    )
    heatmap: str | None = Field(default=None, description="PNG data URL; only with `explain`.")


class LetteringLineOut(ResponseModel):
    """One line of lettering in an image."""

    text: str
    confidence: float = Field(description="Confidence of the reader, 0 to 1.")
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right and bottom, as shares of the image's width and height."
    )


class LetteringOut(ResponseModel):
    """The lettering that was read in one image."""

    image: int = Field(description="Index of the image, from 0.")
    lines: list[LetteringLineOut]


class UsageOut(ResponseModel):
    """Tokens that the language model read and generated."""

    prompt_tokens: int
    completion_tokens: int


class ClassifyTimings(ResponseModel):
    """Milliseconds spent on each stage."""

    decode_ms: float
    queue_ms: float
    guard_ms: float


class ChatTimings(ClassifyTimings):
    """Milliseconds spent on each stage."""

    generate_ms: float


class ChatReply(ResponseModel):
    """Reply of ``/v1/chat``, which may be a refusal."""

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


class ClassifyReply(ResponseModel):
    """Reply of ``/v1/classify``."""

    id: str
    model: str
    flagged: bool
    decision: str
    risk: AssessmentOut | None = None
    images: list[AssessmentOut] | None = None
    lettering: list[LetteringOut] | None = Field(
        default=None, description="Lettering that was read and judged; only with `explain`, if pictures are read."
    )
    images_received: int
    images_scanned: int
    timings: ClassifyTimings | None = None


class AssessmentEvent(ResponseModel):
    """First event of a stream."""

    id: str
    decision: str
    risk: AssessmentOut | None = None


class DeltaEvent(ResponseModel):
    """A piece of the reply or of the refusal; pieces are joined without separators."""

    content: str = Field(default="", description="Piece of the model's reply.")
    refusal: str = Field(default="", description="Piece of a refusal.")


class FallbackOut(ResponseModel):
    """Why another model than the configured one is served."""

    wanted: str = Field(description="Name of the configured checkpoint.")
    reason: str = Field(description="Why it is not served, and what changes this.")


class ModelOut(ResponseModel):
    """The served model."""

    id: str
    object: str = "model"
    created: int = Field(description="Creation time of the checkpoint, in seconds since 1970.")
    owned_by: str = "safevlm"
    backbone: str
    risk_types: list[str]
    risk_levels: list[str]
    description: str = Field(default="", description="Intended and unsupported uses of the checkpoint.")
    fallback: FallbackOut | None = Field(
        default=None, description="Why this model is served instead of the configured one; absent if it is that one."
    )


class ModelList(ResponseModel):
    """Reply of ``/v1/models``."""

    object: str = "list"
    data: list[ModelOut]


class Health(ResponseModel):
    """Reply of ``/healthz``."""

    status: str


class Ready(Health):
    """Reply of ``/readyz``."""

    detail: dict[str, str] | None = Field(
        default=None, description="Files whose newest version is not in force, and what is in force instead."
    )
    fallback: FallbackOut | None = Field(
        default=None, description="Why another model than the configured one is served; absent if it is that one."
    )


class ErrorDetail(ResponseModel):
    """Description of an error; never quotes the request."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorOut(ResponseModel):
    """Reply of every failed request."""

    error: ErrorDetail
