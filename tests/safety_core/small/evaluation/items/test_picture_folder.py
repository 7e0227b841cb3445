from pathlib import Path

import pytest
from PIL import Image

from safety_core.small.evaluation.items import picture_folder
from safety_core.small.evaluation.items.picture_folder import PictureFolder

pytest.importorskip("fontpkg_roboto", reason="fonts are not installed: pip install 'safevlm-guard[small-build]'")


def test_a_picture_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = PictureFolder(tmp_path / "pictures", "test")
    first = folder.draw_lettering("Mind the gap", "sign", 3)
    assert first is not None
    with Image.open(first) as picture:
        assert picture.format == "JPEG"
    monkeypatch.setattr(picture_folder, "render_lettering", lambda *args, **options: pytest.fail("drawn again"))
    assert folder.draw_lettering("Mind the gap", "sign", 3) == first


def test_another_text_kind_seed_photograph_or_split_is_another_picture(tmp_path: Path) -> None:
    photograph = tmp_path / "ground.png"
    Image.new("RGB", (300, 200), "green").save(photograph)
    folder = PictureFolder(tmp_path / "pictures", "test")
    drawn = [
        folder.draw_lettering("Hello", "plain", 1),
        folder.draw_lettering("Hallo", "plain", 1),
        folder.draw_lettering("Hello", "poster", 1),
        folder.draw_lettering("Hello", "plain", 2),
        folder.draw_lettering("Hello", "overlay", 1, photograph),
        folder.draw_lettering("Hello", "overlay", 1),
        PictureFolder(tmp_path / "pictures", "development").draw_lettering("Hello", "plain", 1),
        folder.draw_document("payslip", 1, "IT"),
        folder.draw_document("payslip", 1, None),
    ]
    assert None not in drawn
    assert len(set(drawn)) == len(drawn)


def test_a_text_that_fits_into_no_picture_has_none(tmp_path: Path) -> None:
    assert PictureFolder(tmp_path, "test").draw_lettering("word " * 5000, "meme", 1) is None
    assert list(tmp_path.iterdir()) == []
