"""Verdicts that were reached already: what is asked again is not judged again.

Keys are digests of everything that a verdict depends on: the pictures' bytes, the words, whether a heatmap was wanted,
checkpoint and policy. Nothing in a key can be read back, and nothing of a client's choosing names an entry. Only
verdicts with scores are kept. For one thread; knows no model.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict

from safety_core.engine.messages import ChatRequest, GuardRequest, Judged, ReplyRequest

_ENTRY_BYTES = 4096
"""What a verdict takes besides the features that a reply would need: scores and names."""


class VerdictCache:
    """Least recently used verdicts, bounded by memory.

    Args:
        max_bytes: memory that they may take; 0 keeps none.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nbytes = 0
        self._kept: OrderedDict[str, Judged] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Memory that the entries take, about."""
        return self._nbytes

    def get(self, key: str) -> Judged | None:
        """The verdict of an equal request, if it is kept."""
        judged = self._kept.get(key)
        if judged is not None:
            self._kept.move_to_end(key)
        return judged

    def put(self, key: str, judged: Judged) -> None:
        """Keep a verdict, at the cost of those that were not asked for the longest."""
        size = _ENTRY_BYTES + judged.nbytes
        if judged.verdict.assessment is None or size > self._max_bytes or key in self._kept:
            return
        self._kept[key] = judged
        self._nbytes += size
        while self._nbytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._nbytes -= _ENTRY_BYTES + dropped.nbytes


def key_of(request: GuardRequest, fingerprint: str, *, answerable: bool | None = None) -> str:
    """Digest of a request under a checkpoint and policy.

    Args:
        request: what is asked.
        fingerprint: names checkpoint and its own policy.
        answerable: whether the verdict keeps what a reply needs; as it does for this request where None.
    """
    parts = [
        fingerprint,
        None if request.rules is None else request.rules.digest,
        isinstance(request, ChatRequest) if answerable is None else answerable,
        isinstance(request, ReplyRequest),
        request.heatmap,
        [image.sha256 for image in request.images],
        [[turn.role, turn.text, turn.images, turn.parts] for turn in request.turns],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
