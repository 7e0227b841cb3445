"""The readers that a checkpoint can name, and their creation. Loads nothing on import."""

from __future__ import annotations

import logging
from typing import Literal, get_args

from safety_core.errors import ConfigError
from safety_core.lettering.reading import LetteringReader, ReadingLimits

_logger = logging.getLogger(__name__)

RAPIDOCR = "rapidocr"

ReadPictures = Literal["auto", "true", "false"]
"""Whether lettering in pictures is read; ``auto`` as the checkpoint says."""

READERS = (RAPIDOCR,)
"""Names of the readers, as in the field ``reader`` of ``safevlm.json``."""

DEFAULT_READER = RAPIDOCR
"""The reader of a checkpoint that names none, if the operator wants pictures to be read."""


def check_reader(name: str) -> str:
    """Return the name of a reader; raises ConfigError if there is none of this name."""
    if name not in READERS:
        raise ConfigError(f"reader: one of {list(READERS)} is needed, got {name!r}")
    return name


def create_reader(name: str, limits: ReadingLimits | None = None) -> LetteringReader:
    """Create a reader, which loads its models.

    Raises:
        ConfigError: the name is unknown, or what the reader needs is not installed.
    """
    from safety_core.lettering.rapidocr import RapidOcrReader  # imports OpenCV, if it is installed

    check_reader(name)
    return RapidOcrReader(limits)


def choose_reader(
    named: str | None,
    read_pictures: ReadPictures = "auto",
    own: LetteringReader | None = None,
    limits: ReadingLimits | None = None,
) -> LetteringReader | None:
    """Choose the reader of a guard; None if lettering is not read.

    Args:
        named: name of the checkpoint's reader; None if it has none.
        read_pictures: whether lettering is read; ``auto`` as the checkpoint says.
        own: an existing reader, in place of the checkpoint's.
        limits: bounds of a reader that is created.

    Raises:
        ConfigError: as :func:`create_reader`, or ``read_pictures`` is none of its values.
    """
    if read_pictures not in get_args(ReadPictures):
        raise ConfigError(f"read_pictures: one of {list(get_args(ReadPictures))} is needed, got {read_pictures!r}")
    if read_pictures == "false":
        if named is not None:
            _logger.warning("lettering in pictures is not read, although the checkpoint was trained to judge it")
        return None
    if own is not None:
        return own
    if named is None and read_pictures == "auto":
        return None
    reader = create_reader(DEFAULT_READER if named is None else named, limits)
    _logger.info("lettering in pictures is read with %s", DEFAULT_READER if named is None else named)
    return reader
