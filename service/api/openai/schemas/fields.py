"""Types of fields without a counterpart on this server, and the base of all request models."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from service.api.schemas.fields import EMPTY, Neutral, accept_only

NO_EFFECT = "Accepted but has no effect."

Label = Annotated[str, Field(max_length=256, description=NO_EFFECT)]
"""A name or key that a client attaches to its request."""

Hint = Annotated[str, Field(max_length=64, description=NO_EFFECT)]
"""A short value that only tunes OpenAI's servers, such as their caches."""

Off = Annotated[Any, accept_only(False)]
"""A switch for an unsupported feature."""

Zero = Annotated[Any, accept_only(0)]
"""A number that must be neutral."""

Null = Annotated[Any, accept_only()]
"""An unsupported feature that is requested by the mere presence of the field."""

Empty = Annotated[Any, EMPTY]
"""An unsupported feature that is not requested as long as the field is empty."""

NO_THINKING = Neutral(("", [], {}, {"enable_thinking": False}, {"thinking": False}), members=True)
"""Arguments of a chat template that disable reasoning, as clients of reasoning models send them."""

NO_REASONING = Neutral(("", [], {}, {"effort": "none"}, {"enabled": False}), members=True)
"""Reasoning settings that disable reasoning."""


class RequestModel(BaseModel):
    """Base of all request models; unknown fields and values of the wrong type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CacheHint(RequestModel):
    """A breakpoint of a provider's prompt cache; has no effect here."""

    type: Hint | None = None
    mode: Hint | None = None
    ttl: Hint | None = None
