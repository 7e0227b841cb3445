"""The lettering of pictures as text for systems that see no pictures, kept in a file from run to run.

The file holds words of the public sets; it belongs below a build folder, beside the pictures.
"""

import json
from pathlib import Path

from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.framing import frame_lettering
from safety_core.small.evaluation.items.item import Item


class LetteringTexts:
    """Reads lettering once for all systems.

    Args:
        reader: reads pictures; None if none is installed, so that texts are the prompts alone.
        file: keeps what was read, one picture a line.
    """

    def __init__(self, reader: BoundedReader | None, file: Path) -> None:
        self._reader = reader
        self._file = file
        self._known = _read_known(file)

    def compose(self, item: Item) -> tuple[str, float]:
        """Compose the text of an item: the prompt and, in the guard's own frame, the lettering that was read.

        Only pictures that were made to show lettering are read.

        Returns:
            The text, empty if there is neither; and the seconds that reading took.
        """
        if item.picture is None or not item.lettered or self._reader is None:
            return item.prompt, 0.0
        lettering, seconds = self._read(item.picture)
        return (frame_lettering(lettering, item.prompt) if lettering else item.prompt), seconds

    def _read(self, picture: Path) -> tuple[str, float]:
        assert self._reader is not None, "called with a reader only"
        if picture.name not in self._known:
            (reading,) = self._reader.read([decode_image(picture.read_bytes())])
            entry = " ".join(line.text for line in reading.lines), round(reading.seconds, 3)
            self._known[picture.name] = entry
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps([picture.name, *entry], ensure_ascii=False) + "\n")
        return self._known[picture.name]


def _read_known(file: Path) -> dict[str, tuple[str, float]]:
    """Read what was kept; a line that an interrupted run left incomplete is ignored."""
    known: dict[str, tuple[str, float]] = {}
    if not file.is_file():
        return known
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            name, text, seconds = json.loads(line)
        except ValueError:
            continue
        known[name] = text, seconds
    return known
