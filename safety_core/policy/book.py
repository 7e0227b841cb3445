"""Policies that operators own, as a server holds them: by name, in every language that they speak.

A :class:`PolicyBook` is all that an operator's file says (``policy_file`` reads it); :class:`Rules` are what one
request is judged and answered by. Knows no model, no HTTP and no files.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from safety_core.policy.policy import Policy

Hints = Mapping[str, Mapping[int, str]]
"""hints[type][level] → text that follows the last user turn of a cautioned request."""

DEFAULT_POLICY = "default"
"""The policy of a request that names none."""


class Mode(StrEnum):
    """Whether a policy's decisions have consequences."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one request is judged and answered by: a policy in one language."""

    name: str = DEFAULT_POLICY
    """Name of the policy."""

    policy: Policy
    """Decides, and says what a refusal says."""

    hints: Hints = field(default_factory=dict)
    """Hints in place of the checkpoint's."""

    mode: Mode = Mode.ENFORCE
    """Whether its decisions have consequences."""

    beside: tuple["Rules", ...] = ()
    """Others that decide without consequences, for comparison."""

    digest: str = field(init=False)
    """Equal rules have equal ones."""

    def __post_init__(self) -> None:
        parts = [self.name, self.policy.digest, _strings(self.hints), self.mode, [one.digest for one in self.beside]]
        object.__setattr__(self, "digest", hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())

    @property
    def enforced(self) -> bool:
        """Whether its decisions have consequences."""
        return self.mode is Mode.ENFORCE


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBook:
    """All policies that a server knows, each in every language that it speaks."""

    policies: Mapping[str, Mapping[str, Rules]]
    """Rules by name and language; an empty language is the policy's own."""

    selectable: frozenset[str] = frozenset({DEFAULT_POLICY})
    """Those that a request may name."""

    warnings: tuple[str, ...] = ()
    """What an operator should know of, although it is no mistake."""

    version: str = field(init=False)
    """Names the content: equal books have equal ones."""

    def __post_init__(self) -> None:
        digests = {name: {key: one.digest for key, one in by.items()} for name, by in self.policies.items()}
        content = json.dumps([digests, sorted(self.selectable)], sort_keys=True)
        object.__setattr__(self, "version", hashlib.sha256(content.encode()).hexdigest()[:12])

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """A checkpoint's own policy and nothing else."""
        return cls(policies={DEFAULT_POLICY: {"": Rules(policy=policy)}})

    def rules(self, name: str = DEFAULT_POLICY, languages: Sequence[str] = ()) -> Rules:
        """A policy in the first of some languages that it speaks, else in its own.

        Args:
            name: one of ``policies``.
            languages: language tags (BCP 47), the preferred one first; ``de-AT`` is content with ``de``.

        Raises:
            KeyError: there is no such policy.
        """
        spoken = self.policies[name]
        wider = (wide for tag in languages for wide in _widened(tag))
        return spoken[next((tag for tag in wider if tag in spoken), "")]


def _widened(tag: str) -> Iterator[str]:
    """A language tag, then what it is a kind of: ``de-at``, ``de`` (RFC 4647, lookup)."""
    subtags = tag.lower().split("-")
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])


def _strings(hints: Hints) -> dict[str, dict[str, str]]:
    return {kind: {str(level): text for level, text in by.items()} for kind, by in hints.items()}
