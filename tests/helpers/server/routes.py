"""Routes of an application, from the table of endpoints and from the router."""

from collections.abc import Iterable, Iterator
from typing import Any

from service.endpoints import ENDPOINTS

MODEL_LABELS = {endpoint.path: endpoint.label for endpoint in ENDPOINTS if endpoint.reaches_model}
"""Paths whose requests reach the model, and their labels in metrics."""


def walk_routes(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield every path and method; newer versions of FastAPI keep an included router as one route."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from walk_routes(included.routes)
        else:
            yield from ((route.path, method) for method in (getattr(route, "methods", None) or ["GET"]))
