"""A folder that keeps rendered pictures: each is drawn once, and again only if the code that draws changes.

The pictures show texts of the public sets; the folder belongs below a build folder, never into a repository.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from PIL import Image

from safety_core.errors import InputError
from safety_core.small import rendering
from safety_core.small.evaluation.items.columns import MeasuredSplit
from safety_core.small.rendering.documents.contents.document import DocumentKind
from safety_core.small.rendering.documents.people import create_person
from safety_core.small.rendering.documents.render import render_document
from safety_core.small.rendering.kinds import Kind
from safety_core.small.rendering.render import render_lettering

QUALITY = 95
"""Quality of the JPEG files, as a phone's."""


class PictureFolder:
    """Draws pictures into a folder.

    Args:
        folder: the folder; it is made when the first picture is drawn.
        split: the split that the pictures belong to, which decides layouts and faces.
    """

    def __init__(self, folder: Path, split: MeasuredSplit) -> None:
        self._folder = folder
        self._split: MeasuredSplit = split

    def draw_lettering(self, text: str, kind: Kind, seed: int, photograph: Path | None = None) -> Path | None:
        """Draw a text as lettering; None if it is too long for this kind of picture.

        Args:
            text: what is to be read.
            kind: what it stands on.
            seed: chooses layout, faces and colours.
            photograph: file of a photograph to stand on.

        Raises:
            ConfigError: a package with fonts is not installed.
        """
        name = "" if photograph is None else photograph.name
        return self._draw(
            f"lettering/{kind}/{seed}/{name}/{text}",
            lambda: render_lettering(text, kind=kind, seed=seed, photograph=_open(photograph), split=self._split),
        )

    def draw_document(self, kind: DocumentKind, seed: int, country: str | None) -> Path | None:
        """Draw a document of a made-up person; without a country, the empty twin of the same seed. Raises as above."""
        person = None if country is None else create_person(seed, country, self._split)
        return self._draw(f"document/{kind}/{seed}/{country}", lambda: render_document(person, kind, seed, self._split))

    @cached_property
    def _version(self) -> str:
        """Digest of the code that draws."""
        root = Path(rendering.__file__).parent
        digest = hashlib.sha256()
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
        return digest.hexdigest()

    def _draw(self, key: str, draw: Callable[[], Image.Image]) -> Path | None:
        name = hashlib.sha256(f"{self._version}/{self._split}/{key}".encode()).hexdigest()[:24]
        file = self._folder / f"{name}.jpg"
        if file.exists():
            return file
        try:
            picture = draw()
        except InputError:
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part")
        picture.save(partial, format="JPEG", quality=QUALITY, subsampling=0)
        partial.replace(file)
        return file


def _open(photograph: Path | None) -> Image.Image | None:
    if photograph is None:
        return None
    with Image.open(photograph) as image:
        return image.convert("RGB")
