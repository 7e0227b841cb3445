"""A chat endpoint as a system: its replies are judged; it has no verdicts of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient
from safety_core.evaluation.benchmarks.endpoints.messages import build_messages, read_chat_reply
from safety_core.evaluation.benchmarks.run_files import SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.system import Result

BLOCKED = "content_filter"
"""Code of servers that reject a request because of its content. The user reads nothing, so the reply is empty."""


class ChatEndpoint:
    """Asks a chat endpoint for a reply, greedily.

    Args:
        client: the endpoint.
        model: name of the model.
        name: name of the system in reports.
        max_tokens: most tokens of a reply.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(self, client: EndpointClient, *, model: str, name: str, max_tokens: int) -> None:
        self._client = client
        self._max_tokens = max_tokens
        self.info = SystemInfo(name=name, kind="endpoint", protocol="chat", model=model)

    def answer(self, item: Item) -> Result:
        """Send the conversation and return the reply."""
        try:
            messages = build_messages(item)
        except OSError:
            return Result(error="picture_unreadable")
        body = {"model": self.info.model, "messages": messages, "max_tokens": self._max_tokens, "temperature": 0}
        reply = read_chat_reply(self._client.post("/chat/completions", body))
        if reply.problem is not None and reply.problem.endswith(f"/{BLOCKED}"):
            return Result(reply="", seconds=reply.seconds)
        return Result(reply=reply.text, seconds=None if reply.problem else reply.seconds, error=reply.problem)
