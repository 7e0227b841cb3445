"""Hidden states of texts on disk, so that the frozen first layers read each text once (``prompt_layers`` above 0).

A file of 16-bit rows, one for each position, and an index with one line for each text; both are append-only, in a
folder named after everything that the states depend on. A kill while writing costs the last texts only.
Shapes: T positions of a text · D LLM width.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.progress import track

from safety_core.errors import ConfigError
from safety_core.model.fingerprint import compute_prompt_fingerprint
from safety_core.model.head_inputs import Prompt
from safety_core.model.prompt_reader import PromptStates, ReadPrompts
from safety_core.model.safe_llava import SafeLlava

_READ_TOKENS = 2048
"""Tokens of the texts that are read and stored together."""


class PromptCache:
    """States of texts on disk, by the digest of their token ids.

    Args:
        folder: folder of all caches; this one gets a subfolder.
        model: the model whose first layers read the texts.
    """

    def __init__(self, folder: Path | str, model: SafeLlava) -> None:
        self._model = model
        self._width = model.dims.llm_width
        self.path = Path(folder) / f"prompts-{compute_prompt_fingerprint(model)[:16]}"
        self.path.mkdir(parents=True, exist_ok=True)
        self._rows_file, self._index_file = self.path / "states.f16", self.path / "texts.txt"
        self._lock = FileLock(self.path / "lock")
        with self._lock:
            self._spans = self._recover()

    def __len__(self) -> int:
        return len(self._spans)

    def __contains__(self, prompt: Prompt) -> bool:
        return _compute_digest(prompt) in self._spans

    def fill(self, prompts: Sequence[Prompt], *, progress: bool = False) -> int:
        """Read every text that the cache lacks; returns their number. Raises ConfigError if a state exceeds 16 bit."""
        with self._lock:
            self._spans = self._recover()
            missing = sorted((prompt for prompt in dict.fromkeys(prompts) if prompt and prompt not in self), key=len)
            batches = list(_split_by_tokens(missing))
            with self._rows_file.open("ab") as rows, self._index_file.open("a", encoding="ascii") as index:
                for batch in track(batches, "texts", disable=not (progress and batches)):
                    read: ReadPrompts = {}
                    for _ in self._model.prompt_reader.read_in_passes(batch, read):
                        pass
                    arrays = [_convert_to_storage(read[prompt]) for prompt in batch]
                    rows.write(b"".join(array.tobytes() for array in arrays))
                    rows.flush()
                    entries = zip(batch, arrays, strict=True)
                    index.write("".join(f"{_compute_digest(prompt)} {len(array)}\n" for prompt, array in entries))
                    index.flush()
            self._spans = self._recover()
            return len(missing)

    def read(self, prompts: Sequence[Prompt]) -> PromptStates:
        """Read the states of texts from disk, padded; an empty text has none.

        Raises:
            KeyError: a text is not in the cache.
        """
        if not self._spans:
            raise KeyError("the cache is empty")
        # Spans are in the order of the file.
        rows = sum(next(reversed(self._spans.values())))
        # The shape is given, because another run may append to the file.
        stored = np.memmap(self._rows_file, dtype=np.float16, mode="r", shape=(rows, self._width))
        states = []
        for prompt in prompts:
            start, length = self._spans[_compute_digest(prompt)] if prompt else (0, 0)
            states.append(torch.from_numpy(np.array(stored[start : start + length])))
        padded = PromptStates.pad(states)
        device = self._model.device
        return PromptStates(padded.states_PTD.to(device), padded.mask_PT.to(device))

    def _recover(self) -> dict[str, tuple[int, int]]:
        """Read the index as [start, length) of each text, and truncate what a killed process left incomplete."""
        self._rows_file.touch()
        self._index_file.touch()
        available = self._rows_file.stat().st_size // (2 * self._width)
        content = self._index_file.read_text(encoding="ascii")
        spans: dict[str, tuple[int, int]] = {}
        end = 0
        kept: list[str] = []
        for line in content.split("\n")[:-1]:
            digest, _, count = line.partition(" ")
            if not count.isdigit() or end + int(count) > available:
                break
            spans[digest] = (end, int(count))
            end += int(count)
            kept.append(f"{line}\n")
        with self._rows_file.open("r+b") as rows:
            rows.truncate(end * 2 * self._width)
        if "".join(kept) != content:
            self._index_file.write_text("".join(kept), encoding="ascii")
        return spans


def _compute_digest(prompt: Prompt) -> str:
    return hashlib.sha256(np.asarray(prompt, dtype=np.int64).tobytes()).hexdigest()


def _split_by_tokens(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Split texts, sorted by length, into batches of at most ``_READ_TOKENS`` tokens, but at least one text."""
    batches: list[list[Prompt]] = []
    for prompt in prompts:
        if not batches or (len(batches[-1]) + 1) * len(prompt) > _READ_TOKENS:
            batches.append([])
        batches[-1].append(prompt)
    return batches


def _convert_to_storage(states_TD: torch.Tensor) -> NDArray[np.float16]:
    half_TD = states_TD.half().cpu()
    if not bool(torch.isfinite(half_TD).all()):
        raise ConfigError("cache_features: the states of a text do not fit into 16 bit; train without the cache")
    array: NDArray[np.float16] = half_TD.numpy()
    return array
