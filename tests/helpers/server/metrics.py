"""Reads samples of a Prometheus exposition."""

import httpx

from tests.helpers.waiting import wait_until


def read_metric(exposition: str, name: str, **labels: str) -> float:
    """One sample of a Prometheus exposition; 0 where it does not exist yet."""
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    start = f"{name}{{{shown}}} " if labels else f"{name} "
    values = [float(line.removeprefix(start)) for line in exposition.splitlines() if line.startswith(start)]
    return values[0] if values else 0.0


def count_in_flight(url: str, endpoint: str = "chat") -> float:
    return read_metric(httpx.get(f"{url}/metrics", timeout=60).text, "safevlm_in_flight", endpoint=endpoint)


def count_generated(url: str) -> float:
    """Tokens that the language model has generated; waits for chats whose reply is out but that are not counted yet."""
    wait_until(lambda: count_in_flight(url) == 0)
    return read_metric(httpx.get(f"{url}/metrics", timeout=60).text, "safevlm_tokens_total", kind="completion")


def count_queued(url: str) -> float:
    """Requests in the queue for a verdict."""
    return read_metric(httpx.get(f"{url}/metrics", timeout=60).text, "safevlm_queue_depth", queue="guard")
