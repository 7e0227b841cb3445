"""Loads the images of a request from bytes, base64, data URLs and URLs, and decodes them in threads.

All images of a request are inspected before the first one is decoded, so that rejecting an expensive request is cheap.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from safety_core.errors import ExhaustedError, ImageError
from safety_core.inputs.images.base64_images import classify_source, decode_base64
from safety_core.inputs.images.decoding import DecodedImage, decode_inspected
from safety_core.inputs.images.inspection import InspectedImage, inspect_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.inputs.images.views import Colour
from service.ingress.body import create_image_count_error
from service.ingress.decode_pool import CHEAP_COST, DecodePool
from service.ingress.decode_queue import Check, DecodeJob
from service.ingress.image_fetcher import ImageFetcher
from service.ingress.request_resources import RequestResources, enforce_deadline
from service.ingress.validation import format_image_number

ImageSource = bytes | str
"""Bytes of an image, base64 or a data URL of them, or an https URL."""

_BYTES_PER_COST = 8
"""Bytes of a file that can be inspected in the time it takes to decode one pixel."""

_VIEW_BYTES, _INPUT_BYTES = 4, 12
"""Bytes of each pixel of a view, as an image and as model input."""


@dataclass(frozen=True, slots=True)
class LoadedImages:
    """Images that can be judged."""

    images: tuple[DecodedImage, ...]
    """The images, in order."""

    decode_ms: float
    """Milliseconds for fetching and decoding, including the wait for a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImagePosition:
    """Position of one image in its request, for errors."""

    number: int
    """Number of the image, from 1."""

    count: int
    """Number of images in the request."""

    param: str
    """Field of the request that contains the image."""

    @contextmanager
    def add_to_errors(self) -> Iterator[None]:
        """Add the position to image errors that are raised in the context."""
        try:
            yield
        except ImageError as exc:
            message = format_image_number(self.number, self.count) + exc.message
            raise ImageError(message, code=exc.code, param=self.param) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLoader:
    """Loads the images of requests."""

    decode_pool: DecodePool
    """Threads that decode."""

    limits: ImageLimits
    """Limits on each image."""

    max_cost: int
    """Decoding budget of one request, in pixels (``Inspected.cost``)."""

    fill: Colour
    """Colour with which the model pads images."""

    fetcher: ImageFetcher
    """Fetches images by URL."""

    require_room: Callable[[int, RequestResources], None] = lambda count, resources: None
    """Raises OverloadedError if a request with this number of images would be rejected after decoding. Called if
    decoding is expensive, or if there are several images; other requests are decoded first, because their verdict may
    be cached."""

    async def load(
        self,
        sources: Sequence[ImageSource],
        resources: RequestResources,
        places: Sequence[str] = (),
        *,
        max_images: int,
    ) -> LoadedImages:
        """Load the images of one request.

        Args:
            sources: the images.
            resources: client, deadline and memory of the request.
            places: field of the request that contains each image, for errors; ``image`` if empty.
            max_images: maximum number of images.

        Raises:
            ImageError: there are too many images, they cost too much, or one exceeds a limit or is damaged; the
                message names it.
            OverloadedError: too many images are waiting, the memory budget is used up, or the request would be
                rejected after decoding.
            DeadlineError: the images were not decoded in time.
            ExhaustedError: memory ran out.
        """
        if len(sources) > max_images:
            raise create_image_count_error(max_images, param=places[max_images] if places else "image")
        if not sources:
            return LoadedImages((), 0.0)
        started = time.perf_counter()
        positions = [
            _ImagePosition(number=number, count=len(sources), param=places[number - 1] if places else "image")
            for number in range(1, len(sources) + 1)
        ]
        if len(sources) > 1:
            self.require_room(len(sources), resources)
        resources.image_count += len(sources)
        files = await self._inspect_all(await self._fetch_all(sources, positions, resources), positions, resources)
        self._check_cost(files, positions)
        if len(files) == 1 and files[0].cost > CHEAP_COST:
            self.require_room(len(files), resources)
        images = await self._decode_all(files, positions, resources)
        return LoadedImages(images, 1000 * (time.perf_counter() - started))

    async def _fetch_all(
        self, sources: Sequence[ImageSource], positions: Sequence[_ImagePosition], resources: RequestResources
    ) -> list[ImageSource]:
        """Fetch images by URL; returns the sources with URLs replaced by bytes."""
        fetched: list[ImageSource] = []
        async with enforce_deadline(resources.deadline):
            for source, position in zip(sources, positions, strict=True):
                if isinstance(source, str) and classify_source(source) == "address":
                    with position.add_to_errors():
                        source = await self.fetcher.fetch(source.strip())
                    resources.grow_memory(len(source))
                fetched.append(source)
        return fetched

    async def _inspect_all(
        self, sources: Sequence[ImageSource], positions: Sequence[_ImagePosition], resources: RequestResources
    ) -> list[InspectedImage]:
        """Inspect the files; the memory of their rewritten parts stays reserved."""
        sizes = [len(source) for source in sources]
        resources.grow_memory(2 * sum(sizes))  # the bytes of the files, and of their valid parts
        files = await self.decode_pool.run(
            [
                DecodeJob(work=partial(self._inspect, source, position), cost=size // _BYTES_PER_COST, memory=0)
                for source, position, size in zip(sources, positions, sizes, strict=True)
            ],
            client=resources.client,
            deadline=resources.deadline,
        )
        resources.shrink_memory(2 * sum(sizes) - sum(len(file.file.data) for file in files))
        return files

    def _check_cost(self, files: Sequence[InspectedImage], positions: Sequence[_ImagePosition]) -> None:
        cost = 0
        for position, file in zip(positions, files, strict=True):
            cost += file.cost
            if cost > self.max_cost:
                raise ImageError(
                    f"Image {position.number} of {position.count} exceeds this request's decoding budget of "
                    f"{self.max_cost} pixels, in which formats other than JPEG, and images with many scans, count more "
                    "than once. Send smaller or fewer images.",
                    code="image_too_large",
                    param=position.param,
                )

    async def _decode_all(
        self, files: Sequence[InspectedImage], positions: Sequence[_ImagePosition], resources: RequestResources
    ) -> tuple[DecodedImage, ...]:
        """Decode the files; the memory of the images and of their model inputs is counted instead of the files'."""
        sizes = [len(file.file.data) for file in files]
        images = await self.decode_pool.run(
            [
                DecodeJob(work=partial(self._decode, file, position), cost=file.cost, memory=file.working_bytes + size)
                for file, position, size in zip(files, positions, sizes, strict=True)
            ],
            client=resources.client,
            deadline=resources.deadline,
        )
        pixels = sum(view.width * view.height for image in images for view in image.views)
        resources.grow_memory(pixels * (_VIEW_BYTES + _INPUT_BYTES))
        resources.shrink_memory(sum(sizes))
        return tuple(images)

    def _inspect(self, source: ImageSource, position: _ImagePosition, check: Check) -> InspectedImage:
        try:
            with position.add_to_errors():
                data = decode_base64(source, max_bytes=self.limits.max_bytes) if isinstance(source, str) else source
                return inspect_image(data, limits=self.limits)
        except MemoryError:
            raise ExhaustedError("there was not enough memory to read an image") from None

    def _decode(self, file: InspectedImage, position: _ImagePosition, check: Check) -> DecodedImage:
        try:
            with position.add_to_errors():
                return decode_inspected(file, limits=self.limits, fill=self.fill, check=check)
        except MemoryError:
            raise ExhaustedError("there was not enough memory to decode an image") from None
