"""Images of samples: lists, loads and checks them, once for each distinct content.

Images are decoded as a client's images are (``images.decode``), so training sees what serving sees; an unreadable
image is an error that names the record. Knows Pillow, and no torch.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from safety_core.data.samples import Sample
from safety_core.errors import ImageError, SampleError
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.views import CLIP_MEAN, Colour

_DECODERS = 8
"""Maximum number of threads that decode images when all images are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """One image of one sample."""

    sample: Sample
    index: int
    """Position among the sample's images."""

    @property
    def path(self) -> Path:
        """The image's file."""
        return self.sample.images[self.index]

    @property
    def field(self) -> str:
        """Name of the field in the record."""
        return "image" if len(self.sample.images) == 1 else f"image[{self.index}]"

    def read(self) -> bytes:
        """The encoded file; raises SampleError if it cannot be read."""
        try:
            return self.sample.images[self.index].read_bytes()
        except OSError as exc:
            raise self.sample.create_error("the image cannot be read", self.field) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTable:
    """The distinct images behind a list of samples."""

    refs: tuple[ImageRef, ...]
    """One reference for each distinct content."""

    digests: tuple[str, ...]
    """sha256 of each distinct file's bytes, in the order of ``refs``."""

    rows: tuple[tuple[int, ...], ...]
    """For each sample, the indices of its images in ``refs``."""


def list_image_refs(samples: Iterable[Sample]) -> Iterator[ImageRef]:
    """Yield a reference to every image of every sample, in order."""
    return (ImageRef(sample=sample, index=index) for sample in samples for index in range(len(sample.images)))


def load_image(ref: ImageRef, *, fill: Colour = CLIP_MEAN, limits: ImageLimits | None = None) -> Image.Image:
    """Decode an image to the square RGB view that the model sees.

    A transparent image has two views; this is the one on white, the most likely background.

    Raises:
        SampleError: the file cannot be read or decoded, or exceeds ``limits``.
    """
    try:
        return decode_image(ref.read(), limits=limits, fill=fill).views[-1]
    except ImageError as exc:
        raise ref.sample.create_error(exc.message, ref.field) from exc


def build_image_table(samples: Iterable[Sample]) -> ImageTable:
    """Find the distinct images by the content of their files, reading each path once.

    Raises:
        SampleError: a file cannot be read.
    """
    row_of_path: dict[object, int] = {}
    row_of_digest: dict[str, int] = {}
    refs: list[ImageRef] = []
    rows: list[tuple[int, ...]] = []
    for sample in samples:
        for ref in list_image_refs([sample]):
            path = sample.images[ref.index]
            if path in row_of_path:
                continue
            digest = hashlib.sha256(ref.read()).hexdigest()
            if digest not in row_of_digest:
                row_of_digest[digest] = len(refs)
                refs.append(ref)
            row_of_path[path] = row_of_digest[digest]
        rows.append(tuple(row_of_path[path] for path in sample.images))
    return ImageTable(refs=tuple(refs), digests=tuple(row_of_digest), rows=tuple(rows))


def drop_unreadable(
    samples: Iterable[Sample], *, check: Callable[[ImageRef], object] = load_image
) -> tuple[tuple[Sample, ...], tuple[SampleError, ...]]:
    """Split samples into those whose images all load, and an error for each other sample.

    Each file is read and decoded once, several at a time.
    """
    samples = tuple(samples)
    first_ref = {ref.path: ref for ref in reversed(list(list_image_refs(samples)))}

    def find_problem(ref: ImageRef) -> SampleError | None:
        try:
            check(ref)
        except SampleError as exc:
            return exc
        return None

    # Decoding releases the interpreter's lock, so threads suffice.
    with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1), thread_name_prefix="images") as pool:
        problems = dict(zip(first_ref, pool.map(find_problem, first_ref.values()), strict=True))
    readable: list[Sample] = []
    errors: list[SampleError] = []
    for sample in samples:
        unreadable = (
            (ref, problem) for ref in list_image_refs([sample]) if (problem := problems[ref.path]) is not None
        )
        if (first := next(unreadable, None)) is None:
            readable.append(sample)
        else:
            ref, problem = first
            errors.append(sample.create_error(f"{ref.path.name}: {problem.message}", ref.field))
    return tuple(readable), tuple(errors)
