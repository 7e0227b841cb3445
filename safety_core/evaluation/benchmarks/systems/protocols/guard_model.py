"""A generative guard behind a chat endpoint as a system: a language model that writes ``safe`` or ``unsafe``.

By default the conversation is sent as it is, because servers of Llama Guard put it into the prompt of the model's own
chat template. A guard without such a template needs a prompt of the user's own, a text with ``{conversation}``.

The first line of the answer is ``safe`` or ``unsafe``, the second one lists categories, divided by commas. The belief
that the request is unsafe is the probability of that word against the other as the first token, if the server gives
logarithms of probabilities; otherwise there is none, because a word is no probability.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.endpoints.client import EndpointClient
from safety_core.evaluation.benchmarks.endpoints.messages import ChatReply, build_messages, read_chat_reply
from safety_core.evaluation.benchmarks.run_files import SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.protocols.category_names import GUARD_CATEGORIES
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.files import describe_read_error, read_text

MAX_TOKENS = 32
"""Most tokens of a verdict."""

CONVERSATION = "{conversation}"
"""Place of the conversation in a prompt."""

UNREADABLE = "verdict_unreadable"
"""Code of an answer that is neither safe nor unsafe."""

_VERDICT = re.compile(r"\s*(safe|unsafe)\b(.*)", re.IGNORECASE | re.DOTALL)
_CATEGORY = re.compile(r"\b[A-Z]{1,3}\d{1,3}\b")
_TOP = 5


class GuardModelEndpoint:
    """Asks a generative guard.

    Args:
        client: the endpoint.
        model: name of the model.
        name: name of the system in reports.
        categories: category of the guard → our risk type.
        prompt: text with ``{conversation}`` that is sent instead of the conversation; None for the model's own.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(
        self,
        client: EndpointClient,
        *,
        model: str,
        name: str,
        categories: Mapping[str, str] = GUARD_CATEGORIES,
        prompt: str | None = None,
    ) -> None:
        self._client = client
        self._categories = categories
        self._prompt = prompt
        self._asks_chances = True
        self.info = SystemInfo(name=name, kind="endpoint", protocol="llama-guard", model=model)

    def answer(self, item: Item) -> Result:
        """Send the conversation, and parse the verdict."""
        try:
            messages = build_messages(item)
        except OSError:
            return Result(error="picture_unreadable")
        if self._prompt is not None:
            messages = _insert_conversation(self._prompt, item, messages)
        body = {"model": self.info.model, "messages": messages, "max_tokens": MAX_TOKENS, "temperature": 0}
        reply = self._ask(body)
        if reply.problem is not None or reply.text is None:
            return Result(error=reply.problem)
        parsed = _VERDICT.match(reply.text)
        if parsed is None:
            return Result(error=UNREADABLE)
        unsafe = parsed[1].lower() == "unsafe"
        types = [self._categories[code] for code in _CATEGORY.findall(parsed[2]) if code in self._categories]
        return Result(
            decision="refused" if unsafe else "allowed",
            risk=_compute_risk(reply.first_token),
            risk_type=types[0] if unsafe and types else None,
            seconds=reply.seconds,
        )

    def _ask(self, body: dict[str, Any]) -> ChatReply:
        """Ask with logarithms of probabilities, and without them once a server has rejected a request with them."""
        if self._asks_chances:
            chances = {"logprobs": True, "top_logprobs": _TOP}
            reply = read_chat_reply(self._client.post("/chat/completions", {**body, **chances}))
            if reply.problem is None or not re.match(r"http_4(00|22)", reply.problem):
                return reply
            plain = read_chat_reply(self._client.post("/chat/completions", body))
            if plain.problem is None:  # it was the logarithms that the server rejected, not the item
                self._asks_chances = False
            return plain
        return read_chat_reply(self._client.post("/chat/completions", body))


def read_prompt(file: Path) -> str:
    """Read a prompt; raises ConfigError if it cannot be read, or has no place for the conversation."""
    try:
        prompt = read_text(file)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: {describe_read_error(exc)}") from exc
    if CONVERSATION not in prompt:
        raise ConfigError(f"{file}: the place {CONVERSATION} is missing")
    return prompt


def _insert_conversation(prompt: str, item: Item, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the conversation into a prompt, as one message with the pictures."""
    names = {"user": "User", "assistant": "Agent"}
    lines = "\n\n".join(f"{names[turn.role]}: {turn.text}" for turn in item.turns)
    parts = [
        part
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] != "text"
    ]
    text = prompt.replace(CONVERSATION, lines)
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}] if parts else text}]


def _compute_risk(first_token: tuple[tuple[str, float], ...]) -> float | None:
    """Compute the probability of ``unsafe`` against ``safe``; None unless one of them is among the tokens."""
    sums = {"safe": 0.0, "unsafe": 0.0}
    for token, logprob in first_token:
        word = token.strip().lower()
        if word and math.isfinite(logprob):
            # Tokenizers may split the longer word.
            kind = "safe" if word == "safe" else "unsafe" if "unsafe".startswith(word) else None
            if kind is not None:
                sums[kind] += math.exp(min(0.0, logprob))
    total = sums["safe"] + sums["unsafe"]
    return sums["unsafe"] / total if total > 0 else None
