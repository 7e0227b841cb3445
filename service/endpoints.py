"""The table of endpoints: for every route of the application its scope, its metric label, and what it costs.

The gate, the traffic layer and the OpenAPI document use only this table. Requests are looked up by the route that the
application's router matches, never by the text of their path, because paths that differ in text can reach the same
handler. A route without a row is not served.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import routing
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope as Connection

from service.api.openai.unsupported import UNSUPPORTED
from service.api_keys import Scope

_PARAMETER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Properties of a route that apply before its handler runs."""

    label: str
    """Value of the label ``endpoint`` in metrics and log lines."""

    scope: Scope | None = None
    """Scope that an API key needs; None accepts any valid key."""

    reaches_model: bool = False
    """Whether its requests run the model: they are admitted, counted while in flight, and always logged."""

    is_open: bool = False
    """Whether it is served without an API key and for any Host, for the probes of orchestrators."""

    is_page: bool = False
    """Whether reading it is exempt from an API key's rate limit: a page loads many files, which cost little."""


UNMATCHED = Endpoint(label="other")
"""A request that matches no route; with API keys configured, it still needs a valid one to get a 404."""

_PAGE = Endpoint(label="page", scope=Scope.CHAT, is_page=True)
_DOCS = Endpoint(label="docs")

TABLE: Mapping[str, Endpoint] = {
    "/": Endpoint(label="root"),
    "/healthz": Endpoint(label="healthz", is_open=True),
    "/readyz": Endpoint(label="readyz", is_open=True),
    "/metrics": Endpoint(label="metrics", scope=Scope.METRICS),
    "/v1/chat": Endpoint(label="chat", scope=Scope.CHAT, reaches_model=True),
    "/v1/classify": Endpoint(label="classify", scope=Scope.CLASSIFY, reaches_model=True),
    "/v1/chat/completions": Endpoint(label="completions", scope=Scope.CHAT, reaches_model=True),
    "/v1/moderations": Endpoint(label="moderations", scope=Scope.CLASSIFY, reaches_model=True),
    "/beta/litellm_basic_guardrail_api": Endpoint(label="guardrail", scope=Scope.CLASSIFY, reaches_model=True),
    "/v1/models": Endpoint(label="models"),
    "/v1/models/{}": Endpoint(label="models"),
    **{path: Endpoint(label="unsupported") for path in UNSUPPORTED},
    "/openapi.json": _DOCS,
    "/docs": _DOCS,
    "/docs/oauth2-redirect": _DOCS,
    "/docs/{}": _DOCS,
    "/redoc": _DOCS,
    "/playground": _PAGE,
    "/playground/about": _PAGE,
    "/playground/examples/{}": _PAGE,
    "/playground/judgement": Endpoint(label="playground", scope=Scope.CHAT, reaches_model=True),
    "/playground/decisions": _PAGE,
    "/playground/{}": _PAGE,
}
"""By path template; ``{}`` stands for a parameter of any name."""

LABELS = frozenset(endpoint.label for endpoint in TABLE.values()) | {UNMATCHED.label}
"""Every value that the label ``endpoint`` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The router's match for a request."""

    endpoint: Endpoint | None
    """Row of the matched route; None if it has none and must not be served."""

    allows_method: bool = True
    """Whether the route allows the request's method; without a matching route the answer is 404, not 405."""

    is_matched: bool = True
    """Whether any route matches."""


class _Matching(Protocol):
    """A route, or an included router as represented by FastAPI."""

    def matches(self, scope: Connection) -> tuple[Match, Any]:
        """Whether a request matches this route, and what the route adds to its scope."""
        ...


@dataclass(frozen=True, slots=True)
class _Flat:
    """One route of the application, with its child routes if it is a mount."""

    route: _Matching
    template: str | None
    below: tuple["_Flat", ...] | None = None


class RouteTable:
    """The routes of one application, flattened once, with their rows of the table.

    Args:
        routes: the application's routes; routes added later are not served.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(_flatten(routes))

    def find(self, connection: Connection) -> Route:
        """The route of a request, selected like by the router: the first full match, or else the first partial one.

        ``HEAD`` is looked up as ``GET``.
        """
        method = "GET" if connection["method"] == "HEAD" else connection["method"]
        match, template = _match(self._routes, {**connection, "method": method})
        if match is Match.NONE:
            return Route(endpoint=UNMATCHED, is_matched=False)
        endpoint = None if template is None else TABLE.get(template)
        return Route(endpoint=endpoint, allows_method=match is Match.FULL)


def iterate_templates(routes: Sequence[BaseRoute]) -> Iterator[str]:
    """The template of every route, included and mounted ones too; ``?`` for a route without a path."""
    yield from _templates(_flatten(routes))


def _templates(routes: Iterable[_Flat]) -> Iterator[str]:
    for flat in routes:
        if flat.below is None:
            yield flat.template or "?"
        else:
            yield from _templates(flat.below)


def _flatten(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[_Flat]:
    # Newer versions of FastAPI keep an included router as one route, and offer this to look inside.
    contexts = getattr(routing, "iter_route_contexts", iter)
    for context in contexts(routes):
        path = getattr(context, "path", None)
        template = None if path is None else prefix + _PARAMETER.sub("{}", path)
        original = getattr(context, "original_route", context)
        below = getattr(original, "routes", None)
        if isinstance(original, Mount) and not below:  # an application without routes that could be looked at
            yield _Flat(context, None if template is None else f"{template}/{{}}")
        elif below is not None:
            yield _Flat(context, template, tuple(_flatten(below, template or "")))
        else:
            yield _Flat(context, template)


def _match(routes: Iterable[_Flat], connection: Connection) -> tuple[Match, str | None]:
    partial: tuple[Match, str | None] | None = None
    for flat in routes:
        match, child = flat.route.matches(connection)
        template = flat.template
        if match is not Match.NONE and flat.below is not None:
            match, template = _match(flat.below, {**connection, **child})
            if match is Match.NONE:  # the mounted application answers, and there is no row for what it says
                return Match.FULL, None
        if match is Match.FULL:
            return match, template
        if match is Match.PARTIAL and partial is None:
            partial = match, template
    return partial or (Match.NONE, None)
