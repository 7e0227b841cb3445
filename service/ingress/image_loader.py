"""Loads the pictures of a request from bytes, base64, data URLs and URLs, and decodes them in threads.

All pictures of a request are inspected before the first one is decoded, so that rejecting an expensive request is
cheap.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from safety_core.errors import ExhaustedError, ImageError
from safety_core.inputs.images.base64_images import decode_base64, text_kind
from safety_core.inputs.images.decoding import Colour, DecodedImage, ImageLimits, Inspected, decode_inspected, inspect
from service.ingress.body import create_image_count_error
from service.ingress.decode_pool import CHEAP_COST, Check, DecodeJob, DecodePool, enforce_deadline
from service.ingress.image_fetcher import ImageFetcher
from service.ingress.memory_budget import MemoryReservation
from service.ingress.validation import format_picture_number
from service.telemetry.request_record import RequestRecord

ImageSource = bytes | str
"""A picture's bytes, base64 or a data URL of them, or the URL of a place on the network."""

_BYTES_PER_COST = 8
"""Bytes of a file that are inspected in the time of decoding a pixel."""

_VIEW_BYTES, _INPUT_BYTES = 4, 12
"""Bytes of each pixel of a view, as a picture and as model input."""


@dataclass(frozen=True, slots=True)
class LoadedImages:
    """Pictures that are fit to be judged."""

    images: tuple[DecodedImage, ...]
    """The pictures, in order."""

    decode_ms: float
    """Milliseconds that fetching and decoding took, waiting for a decoder included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImagePosition:
    """The picture of a request that an error refers to."""

    number: int
    """From 1."""

    count: int
    """Number of pictures in the request."""

    param: str
    """Field of the request that contains it."""

    @contextmanager
    def named(self) -> Iterator[None]:
        """Add the picture to the errors raised inside."""
        try:
            yield
        except ImageError as exc:
            message = format_picture_number(self.number, self.count) + exc.message
            raise ImageError(message, code=exc.code, param=self.param) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLoader:
    """Loads the pictures of requests."""

    decode_pool: DecodePool
    """Where they are decoded."""

    limits: ImageLimits
    """Bounds on each."""

    max_images: int
    """How many one request may have."""

    max_cost: int
    """Decoding budget of one request, in pixels (``Inspected.cost``)."""

    fill: Colour
    """Colour that the model wants them padded with."""

    fetcher: ImageFetcher
    """Gets those that are elsewhere."""

    require_room: Callable[[int, RequestRecord], None] = lambda pictures, record: None
    """Raises OverloadedError if a request with this number of pictures would be rejected after decoding; called if
    decoding is expensive, or there are several. Verdicts of other requests may be cached, which is only known after
    decoding."""

    async def load(
        self, sources: Sequence[ImageSource], record: RequestRecord, places: Sequence[str] = ()
    ) -> LoadedImages:
        """Decode the pictures of one request.

        Args:
            sources: the pictures.
            record: client, deadline and memory of the request.
            places: field of the request that contains each of them, for errors; ``image`` if empty.

        Raises:
            ImageError: there are too many, they cost too much, or one exceeds a limit or is damaged; the message says
                which one.
            OverloadedError: too many pictures are waiting, the memory budget is used up, or the request would be
                rejected after decoding.
            DeadlineError: they were not decoded in time.
            ExhaustedError: memory ran out.
        """
        if len(sources) > self.max_images:
            raise create_image_count_error(self.max_images, param=places[self.max_images] if places else "image")
        if not sources:
            return LoadedImages((), 0.0)
        started = time.perf_counter()
        memory = record.memory
        which = [
            _ImagePosition(number=number, count=len(sources), param=places[number - 1] if places else "image")
            for number in range(1, len(sources) + 1)
        ]
        if len(sources) > 1:
            self.require_room(len(sources), record)
        record.pictures += len(sources)
        files = await self._inspect_all(await self._fetch_all(sources, which, record), which, record)
        self._check_cost(files, which)
        if len(files) == 1 and sum(file.cost for file in files) > CHEAP_COST:
            self.require_room(len(files), record)
        sizes = [len(file.file.data) for file in files]
        images: list[DecodedImage] = await self.decode_pool.run(
            [
                DecodeJob(work=partial(self._decode, file, one), cost=file.cost, memory=file.working_bytes + size)
                for file, one, size in zip(files, which, sizes, strict=True)
            ],
            client=record.client,
            deadline=record.deadline,
        )
        held = sum(view.width * view.height for image in images for view in image.views)
        _grow(memory, held * (_VIEW_BYTES + _INPUT_BYTES))
        _shrink(memory, sum(sizes))
        return LoadedImages(tuple(images), 1000 * (time.perf_counter() - started))

    async def _fetch_all(
        self, sources: Sequence[ImageSource], which: Sequence[_ImagePosition], record: RequestRecord
    ) -> list[ImageSource]:
        """The sources, with URLs replaced by the fetched bytes."""
        found: list[ImageSource] = []
        async with enforce_deadline(record.deadline):
            for source, one in zip(sources, which, strict=True):
                if isinstance(source, str) and text_kind(source) == "address":
                    with one.named():
                        source = await self.fetcher.fetch(source.strip())
                    _grow(record.memory, len(source))
                found.append(source)
        return found

    async def _inspect_all(
        self, sources: Sequence[ImageSource], which: Sequence[_ImagePosition], record: RequestRecord
    ) -> list[Inspected]:
        """Inspect the files; the memory of their rewritten parts stays counted."""
        sizes = [len(source) for source in sources]
        _grow(record.memory, 2 * sum(sizes))  # the file's bytes, and its sound parts
        files = await self.decode_pool.run(
            [
                DecodeJob(work=partial(self._inspect, source, one), cost=size // _BYTES_PER_COST, memory=0)
                for source, one, size in zip(sources, which, sizes, strict=True)
            ],
            client=record.client,
            deadline=record.deadline,
        )
        _shrink(record.memory, 2 * sum(sizes) - sum(len(file.file.data) for file in files))
        return files

    def _check_cost(self, files: Sequence[Inspected], which: Sequence[_ImagePosition]) -> None:
        cost = 0
        for one, file in zip(which, files, strict=True):
            cost += file.cost
            if cost > self.max_cost:
                raise ImageError(
                    f"Image {one.number} of {one.count} exceeds this request's decoding budget of {self.max_cost} "
                    "pixels, in which formats other than JPEG, and images with many scans, count more than once. "
                    "Send smaller or fewer images.",
                    code="image_too_large",
                    param=one.param,
                )

    def _inspect(self, source: ImageSource, which: _ImagePosition, check: Check) -> Inspected:
        try:
            with which.named():
                return self._inspected(source)
        except MemoryError:
            raise ExhaustedError("there was not enough memory to read an image") from None

    def _inspected(self, source: ImageSource) -> Inspected:
        data = decode_base64(source, max_bytes=self.limits.max_bytes) if isinstance(source, str) else source
        return inspect(data, limits=self.limits)

    def _decode(self, file: Inspected, which: _ImagePosition, check: Check) -> DecodedImage:
        try:
            with which.named():
                return decode_inspected(file, limits=self.limits, fill=self.fill, check=check)
        except MemoryError:
            raise ExhaustedError("there was not enough memory to decode an image") from None


def _grow(memory: MemoryReservation | None, size: int) -> None:
    if memory is not None:
        memory.grow(size)


def _shrink(memory: MemoryReservation | None, size: int) -> None:
    if memory is not None:
        memory.shrink(size)
