"""The interface of a reader of lettering, and its result. Knows no implementation, no model and no request.

Lettering is user content: it is judged, and shown to the client that sent the picture, but never logged or stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from PIL import Image

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of an upright rectangle, as shares 0 to 1 of the picture's width and height."""


class Problem(StrEnum):
    """Why lettering was not read completely."""

    TIME = "time"
    BOXES = "boxes"
    CHARACTERS = "characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of lettering, or a part of a line."""

    text: str
    """Its text; untrusted."""

    confidence: float
    """The reader's confidence in the text, 0 to 1."""

    box: Box
    """Its place in the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettering:
    """The lettering of one picture."""

    lines: tuple[Line, ...] = ()
    """Its lines, in any order; empty if the picture has no legible lettering."""

    problem: Problem | None = None
    """Why the picture may contain further lettering, which was not read; None if all of it was read."""


class LetteringReader(Protocol):
    """Reads the lettering of pictures; may be called from several threads at once."""

    def read(self, image: Image.Image) -> Lettering:
        """Read the lettering of an RGB picture.

        Lettering that is legible and that could not be read must be reported as a problem, or by an exception: the
        request is then refused without a verdict.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Bounds on reading."""

    side: int = 640
    """Longest side in pixels of the picture that is read; larger pictures are reduced. The smallest side at which
    capitals of a fortieth of the picture's side (16 pixels in a picture of 640) are read exactly on photographs."""

    picture_s: float = 10.0
    """Maximum seconds for one picture."""

    request_s: float = 20.0
    """Maximum seconds for all pictures of a request."""

    boxes: int = 256
    """Maximum number of boxes with lettering in one picture."""

    characters: int = 4096
    """Maximum characters of one picture's lettering."""


class Outcome(StrEnum):
    """Outcome of reading one picture."""

    NONE = "none"
    """It has no legible lettering."""

    READ = "read"
    """Its lettering was read completely."""

    INCOMPLETE = "incomplete"
    """Its lettering exceeds a bound."""

    FAILED = "failed"
    """The reader failed."""

    @property
    def is_complete(self) -> bool:
        """Whether everything legible was read."""
        return self in (Outcome.NONE, Outcome.READ)
