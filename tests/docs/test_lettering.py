"""The page on lettering states the bounds of the code, and its example is a reader."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from safety_core.lettering.assembly import MAX_VARIANTS
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.framing import frame_lettering
from safety_core.lettering.rapidocr import INSTALL, INSTALL_HEADLESS, MIN_CONFIDENCE
from safety_core.lettering.reading import ReadingLimits
from tests.helpers.images.pictures import create_picture
from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "lettering.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "sentence",
    [
        f"| seconds for one picture, for all pictures of a request | {ReadingLimits().picture_s:.0f}, "
        f"{ReadingLimits().request_s:.0f} |",
        f"| boxes with lettering in one picture | {ReadingLimits().boxes} |",
        f"| characters of one picture | {ReadingLimits().characters:,} |",
        f"a longest side of at most {ReadingLimits().side} pixels",
        f"confidence below {MIN_CONFIDENCE}",
        f"at most {('six',)[MAX_VARIANTS - 6]} texts",
        f"`{frame_lettering('…')}`",
        f"\n{INSTALL}\n",
        f"\n{INSTALL_HEADLESS}\n".replace("'", ""),
    ],
)
def test_the_page_states_what_the_code_does(sentence: str) -> None:
    assert " ".join(sentence.split()) in " ".join(PAGE.split())


def test_the_example_is_a_reader() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    definition = example[: example.index("settings = Settings()")]
    found = [SimpleNamespace(text="Mind the gap", confidence=0.9, box=(0.0, 0.0, 1.0, 1.0))]
    names = {"my_ocr": lambda image: found if isinstance(image, Image.Image) else []}
    exec(definition, names)
    reader: object = names["MyReader"]()  # type: ignore[call-arg]
    (reading,) = BoundedReader(reader).read([create_picture()])  # type: ignore[arg-type]
    assert [line.text for line in reading.lines] == ["Mind the gap"]
