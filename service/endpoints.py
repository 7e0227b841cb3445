"""The table of endpoints: every path that is served, with the checks and limits that apply around its handler.

Routers take their paths and methods from this table; admission, authentication, limits, error formats, metric labels
and the OpenAPI document read it as well. Knows no router and no handler. A route without a row is not served.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.access.api_keys import Scope
from service.settings import Settings

_PARAMETER = re.compile(r"\{[^{}]*\}")

Quantity = Literal["images", "texts", "choices", "prompt_tokens", "judged_characters", "reply_tokens"]
"""A quantity that measures the size of a request."""

LimitSetting = Literal[
    "max_images", "max_turns", "max_choices", "max_prompt_tokens", "max_judged_characters", "max_tokens"
]
"""Name of a setting with the maximum of a quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path of the server."""

    path: str
    """Path template, as routers take it."""

    label: str
    """Value of the label ``endpoint`` in metrics and log lines."""

    method: Literal["GET", "POST"] = "GET"
    """HTTP method; GET includes HEAD."""

    scope: Scope | None = None
    """Scope that an API key needs; None accepts any valid key."""

    reaches_model: bool = False
    """Whether its requests run the model: they are admitted, counted while in flight, and always logged."""

    is_open: bool = False
    """Whether it is served without an API key and for any Host, for the probes of orchestrators."""

    is_page: bool = False
    """Whether it is exempt from an API key's rate limit, because a page loads many files that cost little."""

    is_documented: bool = True
    """Whether the OpenAPI document contains it."""

    is_openai_compatible: bool = False
    """Whether it follows OpenAI's protocol: its errors have OpenAI's statuses and codes."""

    max_body_bytes: int | None = None
    """Maximum size of a body where it is below the operator's setting."""

    limits: Mapping[Quantity, LimitSetting] = field(default_factory=dict)
    """Quantity of a request → setting with its maximum, which the handler enforces."""

    limited_fields: Mapping[str, Quantity] = field(default_factory=dict)
    """Request field whose number of items or value is a quantity: the OpenAPI document states its maximum."""

    model_aliases: tuple[str, ...] | None = None
    """Names that the request field ``model`` accepts besides that of the served checkpoint; None if there is no such
    field."""

    error_fields: Mapping[str, str] = field(default_factory=dict)
    """Field that the guard names in its errors → the request field of this endpoint for it."""

    substitute: str | None = None
    """Path to use instead, if this path only returns an error that names it."""

    @property
    def template(self) -> str:
        """The path with ``{}`` for each parameter."""
        return replace_parameters(self.path)

    def get_limit(self, quantity: Quantity, settings: Settings) -> int:
        """Return the operator's maximum of a quantity of one request; KeyError if the endpoint has no such limit."""
        limit: int = getattr(settings, self.limits[quantity])
        return limit


def replace_parameters(path: str) -> str:
    """Return a path template with ``{}`` for each parameter, whatever its name and type."""
    return _PARAMETER.sub("{}", path)


CHAT = Endpoint(
    path="/v1/chat",
    label="chat",
    method="POST",
    scope=Scope.CHAT,
    reaches_model=True,
    limits={"images": "max_images", "prompt_tokens": "max_prompt_tokens", "reply_tokens": "max_tokens"},
    limited_fields={"image": "images", "images": "images", "max_tokens": "reply_tokens"},
)
CLASSIFY = Endpoint(
    path="/v1/classify",
    label="classify",
    method="POST",
    scope=Scope.CLASSIFY,
    reaches_model=True,
    limits={"images": "max_images", "prompt_tokens": "max_prompt_tokens"},
    limited_fields={"image": "images", "images": "images"},
)
COMPLETIONS = Endpoint(
    path="/v1/chat/completions",
    label="completions",
    method="POST",
    scope=Scope.CHAT,
    reaches_model=True,
    is_openai_compatible=True,
    limits={
        "images": "max_images",
        "texts": "max_turns",
        "choices": "max_choices",
        "prompt_tokens": "max_prompt_tokens",
        "reply_tokens": "max_tokens",
    },
    limited_fields={
        "messages": "texts",
        "n": "choices",
        "max_tokens": "reply_tokens",
        "max_completion_tokens": "reply_tokens",
    },
    model_aliases=(),
    error_fields={"prompt": "messages"},
)
MODERATIONS = Endpoint(
    path="/v1/moderations",
    label="moderations",
    method="POST",
    scope=Scope.CLASSIFY,
    reaches_model=True,
    is_openai_compatible=True,
    limits={
        "images": "max_images",
        "texts": "max_turns",
        "prompt_tokens": "max_prompt_tokens",
        "judged_characters": "max_judged_characters",
    },
    model_aliases=(
        "omni-moderation-latest",
        "omni-moderation-2024-09-26",
        "text-moderation-latest",
        "text-moderation-stable",
        "text-moderation-007",
    ),
    error_fields={"prompt": "input"},
)
GUARDRAIL = Endpoint(
    path="/beta/litellm_basic_guardrail_api",
    label="guardrail",
    method="POST",
    scope=Scope.CLASSIFY,
    reaches_model=True,
    limits={
        "images": "max_images",
        "prompt_tokens": "max_prompt_tokens",
        "judged_characters": "max_judged_characters",
    },
    error_fields={"prompt": "texts", "image": "images"},
)

MODELS = Endpoint(path="/v1/models", label="models")
MODEL = Endpoint(path="/v1/models/{model:path}", label="models")
HEALTHZ = Endpoint(path="/healthz", label="healthz", is_open=True)
READYZ = Endpoint(path="/readyz", label="readyz", is_open=True)
METRICS = Endpoint(path="/metrics", label="metrics", scope=Scope.METRICS)

ROOT = Endpoint(path="/", label="root", is_documented=False)
OPENAPI = Endpoint(path="/openapi.json", label="docs", is_documented=False)
DOCS = Endpoint(path="/docs", label="docs", is_documented=False)
DOCS_FILE = Endpoint(path="/docs/{name}", label="docs", is_documented=False)
REDOC = Endpoint(path="/redoc", label="docs", is_documented=False)


def _create_page(path: str) -> Endpoint:
    """Create the row of a part of the playground's page."""
    return Endpoint(path=path, label="page", scope=Scope.CHAT, is_page=True, is_documented=False)


PLAYGROUND = _create_page("/playground")
PLAYGROUND_ABOUT = _create_page("/playground/about")
PLAYGROUND_EXAMPLE = _create_page("/playground/examples/{name}")
PLAYGROUND_FILE = _create_page("/playground/{name}")
PLAYGROUND_DECISIONS = Endpoint(
    path="/playground/decisions",
    label="page",
    method="POST",
    scope=Scope.CHAT,
    is_page=True,
    is_documented=False,
    max_body_bytes=2 * 1024 * 1024,
)
PLAYGROUND_JUDGEMENT = Endpoint(
    path="/playground/judgement",
    label="playground",
    method="POST",
    scope=Scope.CHAT,
    reaches_model=True,
    is_documented=False,
    limits=CLASSIFY.limits,
)


def _create_unsupported(path: str, substitute: str | None = None) -> Endpoint:
    """Create the row of a path of OpenAI's API that is not supported."""
    return Endpoint(
        path=path,
        label="unsupported",
        method="POST",
        is_documented=False,
        is_openai_compatible=True,
        substitute=substitute,
    )


UNSUPPORTED = (
    _create_unsupported("/v1/responses", COMPLETIONS.path),
    _create_unsupported("/v1/completions", COMPLETIONS.path),
    _create_unsupported("/v1/embeddings"),
    _create_unsupported("/v1/images/generations"),
    _create_unsupported("/v1/images/edits"),
    _create_unsupported("/v1/images/variations"),
    _create_unsupported("/v1/audio/speech"),
    _create_unsupported("/v1/audio/transcriptions"),
    _create_unsupported("/v1/audio/translations"),
)
"""Paths of OpenAI's API that always return 404, with the path to use instead if there is one."""

ENDPOINTS = (
    *(CHAT, CLASSIFY, COMPLETIONS, MODERATIONS, GUARDRAIL),
    *(MODELS, MODEL, HEALTHZ, READYZ, METRICS),
    *(ROOT, OPENAPI, DOCS, DOCS_FILE, REDOC),
    *(PLAYGROUND, PLAYGROUND_ABOUT, PLAYGROUND_EXAMPLE, PLAYGROUND_FILE, PLAYGROUND_DECISIONS, PLAYGROUND_JUDGEMENT),
    *UNSUPPORTED,
)
"""Every path that is served; those of the playground only where the operator serves it."""

TABLE: Mapping[str, Endpoint] = {endpoint.template: endpoint for endpoint in ENDPOINTS}
"""The endpoints by path template; ``{}`` stands for a parameter of any name."""

OPEN_PATHS = frozenset(endpoint.path for endpoint in ENDPOINTS if endpoint.is_open)
"""Paths that need no API key."""

UNMATCHED = Endpoint(path="*", label="other")
"""A request that matches no route; with API keys configured, it still needs a valid one to get a 404."""
