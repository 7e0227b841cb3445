"""From what a client sent as a picture to a decoded one: bytes, base64, a data URL, a URL. Decodes off the loop."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from safety_core.errors import ImageError
from safety_core.images import Colour, DecodedImage, ImageLimits, decode, decode_base64
from service.body import too_many_images
from service.decoders import Decoders
from service.errors import numbered
from service.fetching import Fetcher, is_url

Source = bytes | str
"""A picture's bytes, base64 or a data URL of them, or the URL of a place on the network."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Pictures that are fit to be judged."""

    images: tuple[DecodedImage, ...]
    """The pictures, in order."""

    decode_ms: float
    """Milliseconds that fetching and decoding took, waiting for a decoder included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Loads the pictures of requests."""

    decoders: Decoders
    """Where they are decoded."""

    limits: ImageLimits
    """Bounds on each."""

    max_images: int
    """How many one request may have."""

    fill: Colour
    """Colour that the model wants them padded with."""

    fetcher: Fetcher
    """Gets those that are elsewhere."""

    async def load(self, sources: Sequence[Source], places: Sequence[str] = ()) -> Loaded:
        """Decode the pictures of one request.

        Args:
            sources: where they are.
            places: field of the request that each of them stands in, for errors; ``image`` where there are none.

        Raises:
            ImageError: there are too many, or one is out of bounds or broken; its message says which of several.
        """
        if len(sources) > self.max_images:
            raise too_many_images(self.max_images, param=places[self.max_images] if places else "image")
        started = time.perf_counter()
        images: list[DecodedImage] = []
        for index, source in enumerate(sources):
            try:
                images.append(await self._loaded(source))
            except ImageError as exc:
                message = numbered(index + 1, len(sources)) + exc.message
                param = places[index] if places else exc.param
                raise ImageError(message, code=exc.code, param=param) from exc
        return Loaded(tuple(images), 1000 * (time.perf_counter() - started))

    async def _loaded(self, source: Source) -> DecodedImage:
        if isinstance(source, str) and is_url(source):
            source = await self.fetcher.fetch(source)
        return await self.decoders.run(partial(self._decoded, source))

    def _decoded(self, source: Source) -> DecodedImage:
        data = decode_base64(source, limits=self.limits) if isinstance(source, str) else source
        return decode(data, limits=self.limits, fill=self.fill)
