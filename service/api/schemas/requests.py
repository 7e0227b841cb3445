"""Requests of ``/v1/chat`` and ``/v1/classify``, as JSON and as forms.

Only values that no server accepts are rejected here; limits of the operator are checked elsewhere.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError

from service.api.schemas.fields import SEED_LIMIT, ImageSource, Language, PolicyName, read_whole_numbers

NOT_BLANK: dict[str, JsonValue] = {"type": "string", "pattern": r"[^\s\u001c-\u001f\u0085]|\ufeff"}
"""Schema of a string that ``str.strip`` does not empty; JSON Schema's regular expressions define white space
differently."""


class Options(BaseModel):
    """Fields that multipart and JSON requests share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str | None = Field(default=None, description="The question about the images, or a question without images.")
    stream: bool | None = Field(default=None, description="Stream the reply as Server-Sent Events (chat only).")
    max_tokens: int | None = Field(default=None, ge=1, description="Maximum tokens of the reply.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, allow_inf_nan=False, description="Sampling temperature; 0 is deterministic."
    )
    top_p: float | None = Field(
        default=None, gt=0, le=1, allow_inf_nan=False, description="Probability mass of nucleus sampling."
    )
    seed: int | None = Field(
        default=None, ge=-SEED_LIMIT, lt=SEED_LIMIT, description="Seed of sampling; equal seeds give equal replies."
    )
    explain: bool | None = Field(default=None, description="Add heatmaps of the safety head's attention.")
    policy: PolicyName = None
    language: Language = None


class FormRequest(Options):
    """A request as ``multipart/form-data``, whose values are strings, spelled as in JSON."""

    @field_validator("stream", "explain", mode="before")
    @classmethod
    def _check_boolean(cls, value: object) -> object:
        if isinstance(value, str) and value.lower() not in ("true", "false"):
            raise PydanticCustomError("bool_parsing", "Input should be true or false")
        return value


class JsonRequest(Options):
    """A request as ``application/json``, whose values have types: ``"true"`` is a string."""

    model_config = ConfigDict(strict=True)

    _read_whole_numbers = read_whole_numbers("max_tokens", "seed")

    images: Annotated[list[ImageSource] | None, Field(description="Images as base64, base64 data URLs or URLs.")] = None
