"""Finds the row of the endpoint table for a request.

Requests are looked up by the route that the application's router matches, never by the text of their path, because
paths that differ in text can reach the same handler.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import routing
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope as Connection

from service.endpoints import TABLE, UNMATCHED, Endpoint, replace_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRoute:
    """The router's match for a request."""

    endpoint: Endpoint | None
    """Row of the matched route; None if the route has no row and must not be served."""

    allows_method: bool = True
    """Whether the route allows the request's method; without a matching route the answer is 404, not 405."""

    is_matched: bool = True
    """Whether any route matches."""


class _Matching(Protocol):
    """A route, or an included router as represented by FastAPI."""

    def matches(self, scope: Connection) -> tuple[Match, Any]:
        """Return whether a request matches this route, and what the route adds to its scope."""
        ...


@dataclass(frozen=True, slots=True)
class _FlatRoute:
    """One route of the application, with its child routes if it is a mount."""

    route: _Matching
    template: str | None
    methods: frozenset[str] = frozenset()
    children: tuple["_FlatRoute", ...] | None = None


class RouteMatcher:
    """The routes of one application, flattened once, with their rows of the table.

    Args:
        routes: the application's routes; routes added later are not served.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(_flatten(routes))

    def match(self, connection: Connection) -> MatchedRoute:
        """Find the route of a request as the router does: the first full match, or else the first partial one.

        ``HEAD`` is looked up as ``GET``.
        """
        method = "GET" if connection["method"] == "HEAD" else connection["method"]
        match, template = _match(self._routes, {**connection, "method": method})
        if match is Match.NONE:
            return MatchedRoute(endpoint=UNMATCHED, is_matched=False)
        endpoint = None if template is None else TABLE.get(template)
        return MatchedRoute(endpoint=endpoint, allows_method=match is Match.FULL)


def list_routes(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield template and methods of every route, included and mounted ones too.

    The template is ``?`` for a route without a path; there are no methods where a route accepts all of them.
    """
    yield from _list_flat(_flatten(routes))


def _list_flat(routes: Iterable[_FlatRoute]) -> Iterator[tuple[str, frozenset[str]]]:
    for flat in routes:
        if flat.children is None:
            yield flat.template or "?", flat.methods
        else:
            yield from _list_flat(flat.children)


def _flatten(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[_FlatRoute]:
    # Newer versions of FastAPI keep an included router as one route, and offer this to look inside.
    contexts = getattr(routing, "iter_route_contexts", iter)
    for context in contexts(routes):
        path = getattr(context, "path", None)
        template = None if path is None else prefix + replace_parameters(path)
        original = getattr(context, "original_route", context)
        children = getattr(original, "routes", None)
        if isinstance(original, Mount) and not children:  # an application whose routes cannot be listed
            yield _FlatRoute(context, None if template is None else f"{template}/{{}}")
        elif children is not None:
            yield _FlatRoute(context, template, children=tuple(_flatten(children, template or "")))
        else:
            yield _FlatRoute(context, template, methods=frozenset(getattr(original, "methods", None) or ()))


def _match(routes: Iterable[_FlatRoute], connection: Connection) -> tuple[Match, str | None]:
    partial: tuple[Match, str | None] | None = None
    for flat in routes:
        match, child = flat.route.matches(connection)
        template = flat.template
        if match is not Match.NONE and flat.children is not None:
            match, template = _match(flat.children, {**connection, **child})
            if match is Match.NONE:  # the mounted application answers itself, and its responses have no row
                return Match.FULL, None
        if match is Match.FULL:
            return match, template
        if match is Match.PARTIAL and partial is None:
            partial = match, template
    return partial or (Match.NONE, None)
