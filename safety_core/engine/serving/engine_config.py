"""The limits of an engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """The limits of an engine."""

    max_requests: int = 128
    """Maximum number of requests that wait for a verdict."""

    max_batch: int = 16
    """Maximum number of image views that are judged together."""

    max_wait_s: float = 0.002
    """Maximum time in seconds that a verdict is held back for requests that are being prepared."""

    max_prefill: int = 1024
    """Maximum positions of prompts that are read between two tokens of the running replies."""

    max_tokens_in_flight: int = 1 << 16
    """Token budget of all accepted chats together: positions of prompts and replies."""

    cache_bytes: int = 64 << 20
    """Memory for cached verdicts in bytes; 0 disables the cache."""

    verdict_timeout_s: float = 30.0
    """Maximum time to a verdict in seconds, in the queue and in the model, if the caller gives no deadline."""

    client_share: float = 0.5
    """Share of the queue, of ``verdict_timeout_s`` of waiting work, and of the token budget that one client may hold
    while other clients are present."""

    prepare_slots: int = 2
    """Maximum number of requests that are prepared concurrently; other requests wait in a fair order."""

    reply_timeout_s: float = 300.0
    """Maximum time in seconds from the verdict to the end of the reply."""

    restart_pause_s: float = 0.1
    """Seconds before a worker that died is restarted; doubled for each further death in a row, up to ten seconds."""
