"""Named policies of an operator in every language, as a server uses them.

:class:`PolicyBook` is the content of an operator's file, which ``loader`` reads; :class:`ActivePolicy` is the policy in
force for one request. Knows no model, no HTTP and no files.
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
"""Name of the policy of a request that selects none."""


class Mode(StrEnum):
    """Whether a policy's decisions are enforced."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivePolicy:
    """The policy in force for one request, in one language."""

    name: str = DEFAULT_POLICY
    """Name of the policy."""

    policy: Policy
    """Thresholds, actions and texts of refusals."""

    hints: Hints = field(default_factory=dict)
    """Hints that replace the checkpoint's."""

    mode: Mode = Mode.ENFORCE
    """Whether the policy's decisions have consequences."""

    beside: tuple["ActivePolicy", ...] = ()
    """Further policies whose decisions are only recorded, for comparison."""

    digest: str = field(init=False)
    """SHA-256 of the content; equal policies have equal digests."""

    def __post_init__(self) -> None:
        beside = [policy.digest for policy in self.beside]
        parts = [self.name, self.policy.digest, _stringify_levels(self.hints), self.mode, beside]
        object.__setattr__(self, "digest", hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest())

    @property
    def enforced(self) -> bool:
        """Whether the policy's decisions have consequences."""
        return self.mode is Mode.ENFORCE


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBook:
    """All policies of a server, each in every language that it has texts for."""

    policies: Mapping[str, Mapping[str, ActivePolicy]]
    """Policies by name and language; an empty language is the policy's own."""

    selectable: frozenset[str] = frozenset({DEFAULT_POLICY})
    """Names of the policies that a request may select."""

    warnings: tuple[str, ...] = ()
    """Notes for the operator about content that is valid but may be unintended."""

    version: str = field(init=False)
    """Digest of the content; equal books have equal versions."""

    def __post_init__(self) -> None:
        digests = {name: {key: policy.digest for key, policy in by.items()} for name, by in self.policies.items()}
        content = json.dumps([digests, sorted(self.selectable)], sort_keys=True)
        object.__setattr__(self, "version", hashlib.sha256(content.encode()).hexdigest()[:12])

    @classmethod
    def create(cls, policy: Policy) -> Self:
        """Create a book that contains only a checkpoint's own policy."""
        return cls(policies={DEFAULT_POLICY: {"": ActivePolicy(policy=policy)}})

    def select(self, name: str = DEFAULT_POLICY, languages: Sequence[str] = ()) -> ActivePolicy:
        """Return a policy in the first language that it has texts for, or else in its own language.

        Args:
            name: one of ``policies``.
            languages: language tags (BCP 47), the preferred one first; ``de`` matches ``de-AT``.

        Raises:
            KeyError: there is no such policy.
        """
        translations = self.policies[name]
        wider = (wide for tag in languages for wide in _widen(tag))
        return translations[next((tag for tag in wider if tag in translations), "")]


def _widen(tag: str) -> Iterator[str]:
    """Yield a language tag, then wider tags: ``de-at``, ``de`` (RFC 4647, lookup)."""
    subtags = tag.lower().split("-")
    for count in range(len(subtags), 0, -1):
        yield "-".join(subtags[:count])


def _stringify_levels(hints: Hints) -> dict[str, dict[str, str]]:
    return {kind: {str(level): text for level, text in by.items()} for kind, by in hints.items()}
