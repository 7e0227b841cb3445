"""The maximum number of reply tokens: the client's, within the operator's."""

from safety_core.errors import PromptError
from service.endpoints import Endpoint
from service.settings import Settings

HEADER = "X-SafeVLM-Max-Tokens"
"""Response header with the applied token limit, if the request asked for more."""


def choose_token_limit(requested: int | None, endpoint: Endpoint, settings: Settings, *, param: str) -> int:
    """Choose the token limit of a reply: the requested one within the operator's maximum, or the operator's default.

    Args:
        requested: the limit in the request.
        endpoint: the endpoint, which lowers or rejects a larger limit; see :func:`create_limit_header`.
        settings: limits of the operator.
        param: name of the request field.

    Raises:
        PromptError: ``max_tokens_too_large``.
    """
    limit = endpoint.get_limit("reply_tokens", settings)
    if requested is None:
        return min(settings.default_max_tokens, limit)
    if requested > limit and not should_lower_limit(endpoint, settings):
        raise PromptError(f"{param} may be at most {limit}.", code="max_tokens_too_large", param=param)
    return min(requested, limit)


def should_lower_limit(endpoint: Endpoint, settings: Settings) -> bool:
    """Return whether an endpoint lowers a token limit above the operator's, instead of rejecting the request."""
    excess = settings.max_tokens_excess
    return excess == "clamp" or (excess == "auto" and endpoint.is_openai_compatible)


def create_limit_header(requested: int | None, endpoint: Endpoint, settings: Settings) -> dict[str, str]:
    """Create the header of a reply whose token limit was lowered to the operator's; otherwise no header."""
    limit = endpoint.get_limit("reply_tokens", settings)
    return {HEADER: str(limit)} if requested is not None and requested > limit else {}
