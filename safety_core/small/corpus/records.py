"""Records of the corpus: one text or one photograph with its label, its group and its split.

Knows no file format and no data set.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safety_core.data.raw_samples import NamedLabel

Surface = Literal["prompt", "lettering", "both", "photo"]
"""Where a record may be used with its label: as a user's words, as lettering in a picture, as both, or as a picture."""

Split = Literal["train", "calibration", "development", "test", "dropped"]
"""Part of the corpus that a record belongs to; ``dropped`` is used for nothing."""

LETTERING_SUFFIX = "/lettering"
"""End of the id of a record that is lettering only, where the same text has another label as a prompt."""

SPLITS: tuple[Split, ...] = ("train", "calibration", "development", "test", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One thing in a photograph; centre and size as shares of the photograph's width and height, 0 to 1."""

    name: str
    centre_x: float
    centre_y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One text or one photograph of the corpus."""

    id: str
    """``set/…``, made from the content of a text or the file name of a photograph, so that order does not matter."""

    source: str
    """Name of the set, or ``own/FILE`` for texts of this project."""

    surface: Surface

    label: NamedLabel | None
    """Type and level by name; None for photographs that serve the alignment only, and for texts left out by a rule,
    which take part in grouping and splitting so that neither depends on labels."""

    text: str = ""
    """The text; empty for photographs."""

    photo: Path | None = None
    """The photograph's file; None for texts."""

    category: str = ""
    """The source's own label, as the rules see it."""

    kind: str = ""
    """Photographs: what may be risky in it (``weapon``, ``alcohol`` …). Own texts: kind of lettering (``sign`` …)."""

    family: str = ""
    """Texts that the source itself derives from each other: a question and its answers, wordings of one template."""

    topic: str = ""
    """The source's own topic: what a photograph shows, the kind of people that a biased question is about …"""

    captions: tuple[str, ...] = ()

    boxes: tuple[Box, ...] = ()

    group: str = ""
    """Id of the first record of the group of near-duplicates, empty before grouping."""

    split: Split = "train"

    @property
    def is_harmful(self) -> bool:
        """Whether the label has a level above 0; false without a label."""
        return self.label is not None and self.label[1] > 0

    @property
    def base_id(self) -> str:
        """Id of the text; a text that means something else as lettering has two records with one base id."""
        return self.id.removesuffix(LETTERING_SUFFIX)
