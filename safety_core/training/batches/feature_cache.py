"""Features of the frozen vision tower on disk, so that the tower runs once for each image.

The cache is a file of 16-bit rows and a file of digests, both append-only, in a folder named after everything that the
features depend on: the tower's weights, the layers that are read, the preprocessing of pixels. Another tower gets
another folder, so a stale feature is never read. A kill while writing costs the last rows only, and runs that share a
cache write to it one after the other.
Shapes: B images · N image patches · V vision width · P image positions in the LLM · L vision layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.progress import track

from safety_core.data.sample_images import ImageTable, load_image
from safety_core.errors import ConfigError
from safety_core.model.fingerprint import compute_tower_fingerprint
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.model.vision.tower import VisionFeatures, find_own_layers
from safety_core.training.batches.vision_sources import VisionInput

_ENCODE_BATCH = 32
"""Images in one pass of the tower."""


class FeatureCache:
    """Features of images on disk, by the digest of the image's content.

    Args:
        folder: folder of all caches; this one gets a subfolder.
        model: the model whose tower the features come from.
    """

    def __init__(self, folder: Path | str, model: SafeLlava) -> None:
        self.model = model
        dims, positions = model.dims, model.projected_positions
        layers = model.config.select_layers(dims)
        # LLaVA's projection can be computed from the patches if it is made of all of them and nothing else.
        derived = positions == dims.patches and find_own_layers(dims, layers) is not None
        self._layer_shape = (len(layers), dims.patches, dims.vision_width)
        self._projected_shape = (0, 0) if derived else (positions, dims.llm_width)
        self._width = int(np.prod(self._layer_shape) + np.prod(self._projected_shape))
        self.path = Path(folder) / compute_tower_fingerprint(model, with_projector=not derived)[:16]
        self.path.mkdir(parents=True, exist_ok=True)
        self._rows_file, self._index_file = self.path / "features.f16", self.path / "digests.txt"
        self._lock = FileLock(self.path / "lock")
        with self._lock:
            self._row_of = self._recover()

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, digest: str) -> bool:
        return digest in self._row_of

    def fill(self, table: ImageTable, *, progress: bool = False) -> int:
        """Run the tower on every image that the cache lacks; returns the number of such images.

        Waits while another run fills the same cache, and keeps that run's features.

        Raises:
            SampleError: an image is unreadable.
            ConfigError: a feature does not fit into 16 bit.
        """
        with self._lock:
            self._row_of = self._recover()
            return self._append(table, progress)

    def _append(self, table: ImageTable, progress: bool) -> int:
        missing_rows = [row for row, digest in enumerate(table.digests) if digest not in self]
        fill, hidden = get_pad_colour(self.model.image_processor), not progress or not missing_rows
        with self._rows_file.open("ab") as rows, self._index_file.open("a", encoding="ascii") as index:
            for start in track(range(0, len(missing_rows), _ENCODE_BATCH), "features", disable=hidden):
                batch = missing_rows[start : start + _ENCODE_BATCH]
                pixels = self.model.preprocess([load_image(table.refs[row], fill=fill) for row in batch])
                rows.write(self._encode(self.model.encode_images(pixels)).tobytes())
                rows.flush()
                index.write("".join(f"{table.digests[row]}\n" for row in batch))
                index.flush()
        self._row_of = self._recover()
        return len(missing_rows)

    def bind(self, table: ImageTable) -> "CachedImages":
        """Create the source of one data set; the cache must hold every image."""
        return CachedImages(self, tuple(self._row_of[digest] for digest in table.digests))

    def read(self, rows: Sequence[int]) -> VisionInput:
        """Read the features of some rows, in 16 bit."""
        if len(self._row_of) == 0:
            raise ValueError("the cache is empty")
        # The shape is given, because another run may append to the file.
        stored = np.memmap(self._rows_file, dtype=np.float16, mode="r", shape=(len(self._row_of), self._width))
        picked_BW = torch.from_numpy(np.ascontiguousarray(stored[list(rows)]))
        split = int(np.prod(self._layer_shape))
        layers_BLNV = picked_BW[:, :split].reshape(-1, *self._layer_shape)
        projected = picked_BW[:, split:].reshape(-1, *self._projected_shape) if split < self._width else None
        return VisionInput(layers=tuple(layers_BLNV.unbind(1)), projected_BPD=projected)

    def _encode(self, features: VisionFeatures) -> NDArray[np.float16]:
        parts = [layer.flatten(1) for layer in features.layers]
        if self._projected_shape != (0, 0):
            parts.append(features.projected_BPD.flatten(1))
        packed_BW = torch.cat([part.float() for part in parts], dim=1).half().cpu()
        if not bool(torch.isfinite(packed_BW).all()):
            raise ConfigError("cache_features: the tower's features do not fit into 16 bit; train without the cache")
        array: NDArray[np.float16] = packed_BW.numpy()
        return array

    def _recover(self) -> dict[str, int]:
        """Read the index, and truncate rows that a killed process left incomplete in either file."""
        if not self._rows_file.exists() or not self._index_file.exists():
            self._rows_file.touch()
            self._index_file.touch()
        row_bytes = 2 * self._width
        digests = self._index_file.read_text(encoding="ascii").split("\n")[:-1]
        complete = min(len(digests), self._rows_file.stat().st_size // row_bytes)
        with self._rows_file.open("r+b") as rows:
            rows.truncate(complete * row_bytes)
        if complete < len(digests) or self._index_file.read_bytes()[-1:] not in (b"", b"\n"):
            self._index_file.write_text("".join(f"{digest}\n" for digest in digests[:complete]), encoding="ascii")
        return {digest: row for row, digest in enumerate(digests[:complete])}


@dataclass(frozen=True, slots=True)
class CachedImages:
    """Reads a data set's images from a cache."""

    cache: FeatureCache
    cache_rows: tuple[int, ...]

    def fetch(self, rows: Sequence[int]) -> VisionInput:
        """Read features from disk; the tower does not run."""
        return self.cache.read([self.cache_rows[row] for row in rows])
