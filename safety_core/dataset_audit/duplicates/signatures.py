"""Signatures of one item, by which its near-duplicates are found: hashes of pictures, MinHash signatures of texts.

What is alike is the same as in reports on training data (:mod:`safety_core.data.duplicates`): pairs of neighbouring
words, runs of letters, and perceptual hashes. Signatures have a fixed size, and no text can be read from them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from safety_core.data.duplicates.near_texts import EXTRA_NEEDED, normalize_words, pair_words, run_letters
from safety_core.errors import ConfigError
from safety_core.inputs.images.decoding import DecodedImage

PERMUTATIONS = 128
"""Bytes of a signature: the lowest byte of each smallest value (b-bit minwise hashing, Li and König, WWW 2010)."""

_SEED = 1
_LONGEST = 20_000
"""Characters of a text that are compared."""


@dataclass(frozen=True, slots=True)
class TextSignature:
    """What is kept of a text."""

    digest: int
    """Hash of the normal form, 64 bits: equal texts have equal ones."""

    words: bytes
    """Signature of the pairs of neighbouring words; empty if the text is too short."""

    letters: bytes
    """Signature of the runs of letters; empty if the text is too short or too long."""


def sign_text(text: str) -> TextSignature | None:
    """Compute the signature of a text; None if it has no words.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    normal = normalize_words(text[:_LONGEST])
    if not normal:
        return None
    digest = hashlib.blake2b(normal.encode("utf-8", "replace"), digest_size=8).digest()
    return TextSignature(int.from_bytes(digest, "little"), _sign(pair_words(normal)), _sign(run_letters(normal)))


def _sign(shingles: frozenset[str]) -> bytes:
    if not shingles:
        return b""
    minhash = _create_minhash().copy()
    minhash.update_batch([shingle.encode("utf-8", "replace") for shingle in shingles])
    return bytes((minhash.hashvalues & 0xFF).astype(np.uint8).tobytes())


@cache
def _create_minhash() -> Any:
    try:
        from datasketch import MinHash
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    return MinHash(num_perm=PERMUTATIONS, seed=_SEED)


def hash_decoded(image: DecodedImage) -> int:
    """Compute the perceptual hash of a decoded picture without its padding, 64 bits.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    try:
        import imagehash
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    hashed = imagehash.phash(crop_padding(image))
    return int.from_bytes(np.packbits(hashed.hash.ravel()).tobytes(), "big")


def crop_padding(image: DecodedImage) -> Image.Image:
    """Return the first view of a picture without the padding that makes it a square."""
    view = image.views[0]
    side, longest = view.width, max(image.width, image.height)
    width, height = (max(1, round(side * size / longest)) for size in (image.width, image.height))
    left, top = (side - width) // 2, (side - height) // 2
    return view.crop((left, top, left + width, top + height))
