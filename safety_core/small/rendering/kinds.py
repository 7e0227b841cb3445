"""The kinds of pictures with lettering, and the splits."""

from typing import Literal, get_args

Kind = Literal[
    "sign", "poster", "slide", "screenshot", "chat", "meme", "receipt", "chart", "menu", "label", "list", "book",
    "headline", "handwriting", "card", "letter", "form", "banner", "code", "overlay", "plain",
]  # fmt: skip
"""What the text stands on; ``overlay`` is lettering over a photograph, ``plain`` lettering on an even ground."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Split = Literal["train", "calibration", "development", "test"]
"""Part of the corpus; pictures of ``test`` have faces and layouts that no other split has."""
