"""Near-duplicate pictures: at most 8 of the 64 bits of their perceptual hashes differ.

A perceptual hash survives another size, another quality and small changes of colour. A crop, a mirrored or a turned
copy is another picture to it. Knows no records.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from safety_core.data.duplicates.near_texts import EXTRA_NEEDED, Pair
from safety_core.data.record_place import RecordPlace
from safety_core.errors import ConfigError
from safety_core.inputs.images.inspection import inspect_image

PICTURES_ALIKE = 8
"""Most bits in which the hashes of two near-duplicate pictures differ."""


def find_near_pictures(pictures: Sequence[Path]) -> Iterator[Pair]:
    """Yield pairs of positions of near-duplicate pictures.

    Raises:
        ConfigError: the extra ``data`` is not installed.
        SampleError: a file is no picture.
    """
    return find_near_hashes([hash_picture(picture) for picture in pictures])


def find_near_hashes(hashes: Sequence[int]) -> Iterator[Pair]:
    """Yield pairs of positions of hashes of near-duplicate pictures; compares all pairs."""
    bits = np.array(hashes, dtype=np.uint64)
    for index in range(len(bits) - 1):
        differing = np.bitwise_count(bits[index + 1 :] ^ bits[index])
        for offset in np.flatnonzero(differing <= PICTURES_ALIKE):
            yield index, index + 1 + int(offset)


def hash_picture(picture: Path) -> int:
    """Compute the perceptual hash of a picture, 64 bits.

    Raises:
        ConfigError: the extra ``data`` is not installed.
        SampleError: the file is no picture, or is one that a server would reject.
    """
    from PIL import Image

    try:
        import imagehash
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    try:
        data = picture.read_bytes()
        inspect_image(data)
        with Image.open(BytesIO(data)) as image:
            hashed = imagehash.phash(image)
    except MemoryError:
        raise
    except Exception as exc:  # Pillow raises OSError, SyntaxError, ValueError, TypeError, struct.error and others
        raise RecordPlace(picture).create_error("the file is no picture that can be decoded", "file") from exc
    return int("".join("1" if bit else "0" for bit in hashed.hash.ravel()), 2)
