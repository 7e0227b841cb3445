"""Entries of a queue of texts, with defaults for whatever a test does not name."""

from safety_core.engine.serving.queueing.entries import QueueEntry

DEAR_COST = 100


def create_entry(
    name: str,
    *,
    seconds: float = 0.0,
    client: str = "",
    since: float = 0.0,
    urgent: bool = False,
    cost: int | None = None,
) -> QueueEntry[str, str]:
    """An entry; unless its cost is given, its estimated duration alone decides its size."""
    return QueueEntry(
        item=name,
        cost=(DEAR_COST if seconds else 1) if cost is None else cost,
        since=since,
        deadline=1e9,
        client=client,
        urgent=urgent,
        seconds=seconds,
    )
