from importlib.machinery import ModuleSpec
from random import Random
from typing import get_args

import pytest

from safety_core.errors import ConfigError
from safety_core.small.rendering.typography import faces
from safety_core.small.rendering.typography.faces import FACES, Face, Style, find_smallest_px, list_faces, load_font


def test_faces_are_of_many_kinds_in_every_split() -> None:
    assert len(FACES) >= 12
    for test in (False, True):
        assert {face.style for face in list_faces(test=test)} == set(get_args(Style))
    assert {face.name for face in list_faces(test=True)}.isdisjoint(face.name for face in list_faces(test=False))


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_a_capital_of_the_smallest_size_is_11_pixels_high(face: Face) -> None:
    _, top, _, bottom = load_font(face, find_smallest_px(face), face.weights[0]).getbbox("H")
    assert bottom - top >= 11


def test_a_heavier_weight_puts_more_ink() -> None:
    face = next(face for face in FACES if len(face.weights) > 1)
    inks = [sum(load_font(face, 60, weight).getmask("Hamburg")) for weight in face.weights]
    assert inks == sorted(set(inks))


def test_picking_respects_style_and_split() -> None:
    rng = Random(0)
    for _ in range(40):
        face = faces.pick_face(rng, ("mono", "hand"), test=True)
        assert face.style in ("mono", "hand")
        assert face.test


def test_a_missing_package_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(faces, "find_spec", find_nothing)
    face = next(face for face in FACES if face.package.startswith("fontpkg"))
    with pytest.raises(ConfigError, match=r"fontpkg-.*safevlm-guard\[small-build\]"):
        faces.find_font_file(face)


def test_a_face_knows_what_it_lacks() -> None:
    face = next(face for face in FACES if face.name == "Anton")
    assert faces.has_glyph(face, "é")
    assert not faces.has_glyph(face, "日")
