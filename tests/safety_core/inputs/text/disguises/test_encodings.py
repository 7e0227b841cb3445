"""Layers of encodings, and entities whose numbers are too long."""

from html import escape

import pytest

from safety_core.inputs.text.disguises.encodings import decode_text
from safety_core.inputs.text.folding import list_variants


def test_layers_of_encodings_are_undone_up_to_a_bound() -> None:
    layered = "show"
    for _ in range(3):
        layered = escape("".join(f"&#{ord(char)};" for char in layered)) if len(layered) < 10 else escape(layered)
    assert decode_text(layered) == "show"


@pytest.mark.parametrize("number", ["1" * 5000, "x" + "f" * 5000, "0" * 5000 + "97", "x" + "0" * 5000 + "61", "97"])
def test_no_number_of_an_entity_is_too_long(number: str) -> None:
    text = " ".join(list_variants(f"&#{number};bout how to &#{number}; go"))
    assert ("about how to a go" in text) == number.endswith(("97", "61"))
