"""Caches verdicts, so that identical requests are judged once.

Keys are digests of everything that a verdict depends on: the images' bytes, the text, whether a heatmap is requested,
checkpoint and policy. A key reveals none of these, and clients cannot choose keys. Only verdicts with scores are
cached. Use from one thread only; knows no model.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict

from safety_core.engine.messages import ChatRequest, GuardRequest, ReplyRequest
from safety_core.engine.work import JudgedRequest

_ENTRY_BYTES = 4096
"""Approximate bytes of a verdict without the features for a reply: scores and names."""


class VerdictCache:
    """The most recently used verdicts, bounded by memory.

    Args:
        max_bytes: maximum memory; 0 disables the cache.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._nbytes = 0
        self._kept: OrderedDict[str, JudgedRequest] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Approximate memory of all entries in bytes."""
        return self._nbytes

    def get(self, key: str) -> JudgedRequest | None:
        """Return the cached verdict of an identical request; None if there is none."""
        judged = self._kept.get(key)
        if judged is not None:
            self._kept.move_to_end(key)
        return judged

    def put(self, key: str, judged: JudgedRequest) -> None:
        """Cache a verdict, and evict the least recently used verdicts if there is no room."""
        size = _ENTRY_BYTES + judged.nbytes
        if judged.verdict.assessment is None or size > self._max_bytes or key in self._kept:
            return
        self._kept[key] = judged
        self._nbytes += size
        while self._nbytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._nbytes -= _ENTRY_BYTES + dropped.nbytes


def compute_key(request: GuardRequest, fingerprint: str, *, answerable: bool | None = None) -> str:
    """Compute the digest of a request under a checkpoint and policy.

    Args:
        request: the request.
        fingerprint: identifies the checkpoint and its own policy.
        answerable: whether the verdict includes the data for a reply; if None, true for chats only.
    """
    fields = [
        fingerprint,
        None if request.policy is None else request.policy.digest,
        isinstance(request, ChatRequest) if answerable is None else answerable,
        isinstance(request, ReplyRequest),
        request.heatmap,
        [image.sha256 for image in request.images],
        [[turn.role, turn.text, turn.images, turn.parts] for turn in request.turns],
    ]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()
