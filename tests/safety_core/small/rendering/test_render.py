from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageChops

from safety_core.errors import InputError
from safety_core.small.rendering.kinds import KINDS, Kind, Split
from safety_core.small.rendering.render import render_lettering

TEXT = "Repairing a garden gate\n1. Sand it\n2. Oil the hinges\n3."


def create_photograph() -> Image.Image:
    """A picture that is no wider than the sets' photographs."""
    return Image.linear_gradient("L").resize((320, 240)).convert("RGB")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_a_picture_within_bounds_that_repeats(kind: Kind, split: Split) -> None:
    first, again = (render_lettering(TEXT, kind=kind, seed=3, split=split) for _ in range(2))
    assert first.mode == "RGB"
    assert min(first.size) >= 224
    assert max(first.size) <= 1280
    assert ImageChops.difference(first, again).getbbox() is None


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_picture(kind: Kind) -> None:
    pictures = [render_lettering(TEXT, kind=kind, seed=seed) for seed in range(4)]
    assert len({(picture.size, picture.tobytes()) for picture in pictures}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_another_text_changes_the_picture_but_not_the_ground_it_is_on(kind: Kind) -> None:
    first = render_lettering("Fresh eggs", kind=kind, seed=5)
    second = render_lettering("Fresh figs", kind=kind, seed=5)
    assert first.tobytes() != second.tobytes()
    # Twins look alike: the same layout, the same colours, nearly the same size.
    mean = [np.asarray(picture, dtype=np.float32).mean(axis=(0, 1)) for picture in (first, second)]
    assert np.abs(mean[0] - mean[1]).max() < 12
    assert abs(first.width - second.width) <= first.width * 0.1


@pytest.mark.parametrize("kind", ["overlay", "meme", "poster", "sign", "banner", "headline"])
def test_the_photograph_is_shown(kind: Kind) -> None:
    photograph = create_photograph()
    changed = sum(
        render_lettering(TEXT, kind=kind, seed=seed).tobytes()
        != render_lettering(TEXT, kind=kind, seed=seed, photograph=photograph).tobytes()
        for seed in range(4)
    )
    assert changed >= 2


def test_the_photograph_is_not_changed() -> None:
    photograph = create_photograph()
    before = photograph.tobytes()
    render_lettering(TEXT, kind="overlay", seed=1, photograph=photograph)
    assert photograph.tobytes() == before


@pytest.mark.parametrize("text", ["X", "a\n\n\nb", "Wait → here ✓ 😂 日本", "Donaudampfschifffahrtsgesellschaft" * 3])
def test_odd_texts_are_rendered(text: str) -> None:
    for seed in range(3):
        assert render_lettering(text, kind="sign", seed=seed).mode == "RGB"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", get_args(Split))
def test_a_text_of_400_characters_fits_every_kind(kind: Kind, split: Split) -> None:
    text = ("The caretaker collects the paper on Fridays and the glass on Mondays. " * 6)[:400].strip()
    assert render_lettering(text, kind=kind, seed=1, split=split).mode == "RGB"


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("hello", "hologram", "lettering_kind"),
        (" \n ", "sign", "lettering_blank"),
        ("far too long " * 2000, "sign", "lettering_too_long"),
    ],
)
def test_what_cannot_be_rendered_is_an_error_that_does_not_quote_the_text(text: str, kind: Kind, code: str) -> None:
    with pytest.raises(InputError) as caught:
        render_lettering(text, kind=kind, seed=0)
    assert caught.value.code == code
    assert "too long too" not in str(caught.value)
    assert "hello" not in str(caught.value)
