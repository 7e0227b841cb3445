"""Reduces ICC colour profiles to the tags that define colours. Applies none: ``views`` does."""

import struct

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""Size limit of an unpacked colour profile; the largest printing profiles have two or three megabytes. A larger one is
ignored like a broken one."""

_PROFILE_HEAD = 128
_MAX_PROFILE_TAGS = 100
"""Maximum number of tags that the colour management library reads."""

_COLOUR_TAGS = frozenset(b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad A2B0 A2B1 A2B2".split())
"""Tags that define the image's colours."""

_COLOUR_TYPES = frozenset({b"XYZ ", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"sf32"})
"""Types of tags with a fixed number of processing steps. Another type, ``mpet``, may have hundreds of thousands of
steps that share the same bytes of the file; browsers do not read it."""


def reduce_profile(profile: bytes) -> bytes | None:
    """Reduce a profile to the tags that define its colours; None if it is broken or too large."""
    if not _PROFILE_HEAD + 4 <= len(profile) <= MAX_PROFILE_BYTES:
        return None
    (count,) = struct.unpack_from(">I", profile, _PROFILE_HEAD)
    if count > _MAX_PROFILE_TAGS or _PROFILE_HEAD + 4 + 12 * count > len(profile):
        return None
    tags: list[bytes] = []
    for at in range(_PROFILE_HEAD + 4, _PROFILE_HEAD + 4 + 12 * count, 12):
        tag, place = struct.unpack_from(">4sI", profile, at)
        if tag in _COLOUR_TAGS and profile[place : place + 4] in _COLOUR_TYPES:
            tags.append(profile[at : at + 12])
    table = struct.pack(">I", len(tags)) + b"".join(tags)
    return profile[:_PROFILE_HEAD] + table.ljust(4 + 12 * count, b"\0") + profile[_PROFILE_HEAD + 4 + 12 * count :]
