"""Request and reply of LiteLLM's generic guardrail protocol."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.fields import ImageSource, Language, PolicyName
from service.api.schemas.replies import ResponseModel


class ProviderParams(BaseModel):
    """Parameters for this guardrail in the configuration of the proxy."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    policy: PolicyName = None
    language: Language = None
    drop_refused_turns: bool = Field(
        default=False,
        description="Whether refused questions in a text-only conversation are replaced by a note, instead of blocking "
        "the whole request; only for the mode `pre_call`, because other modes ignore replaced texts.",
    )


class GuardrailRequest(BaseModel):
    """Request of LiteLLM."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    texts: list[str] | None = Field(default=None, description="Texts of the request, or of the answer.")
    images: list[ImageSource] | None = Field(default=None, description="Images as base64, data URLs or URLs.")
    structured_messages: list[dict[str, Any]] | None = Field(
        default=None, description="The conversation that contains the texts and images."
    )
    tools: list[Any] | None = Field(
        default=None, description="Definitions of tools; their names, descriptions and schemas are judged as texts."
    )
    tool_calls: list[Any] | None = Field(
        default=None, description="Calls of tools; their arguments are judged as texts."
    )
    request_data: dict[str, Any] | None = Field(
        default=None,
        description="Request data of the proxy; judged, except for identifiers and fields about the caller's key.",
    )
    input_type: Literal["request", "response"] = Field(
        default="request", description="Whether a request or a response of the proxy is judged."
    )
    additional_provider_specific_params: ProviderParams | None = Field(
        default=None, description="Parameters for this guardrail in the configuration of the proxy."
    )


class GuardrailReply(ResponseModel):
    """Action that LiteLLM takes."""

    action: Literal["BLOCKED", "NONE", "GUARDRAIL_INTERVENED"]
    blocked_reason: str | None = None
    texts: list[str] | None = None
    images: list[str] | None = None
