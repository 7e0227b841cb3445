from pathlib import Path

from tests.helpers.datasets.public_sets import convert_to_samples, name_labels, write_picture, write_text


def test_folder(tmp_path: Path) -> None:
    root = tmp_path / "folder"
    write_picture(root / "plain.png")
    write_picture(root / "privacy" / "card.png")
    write_text(root / "__MACOSX" / "privacy" / "._card.png", "no picture")
    write_text(root / "privacy" / "._card.png", "no picture")
    write_picture(root / ".ipynb_checkpoints" / "plain-checkpoint.png")
    samples = convert_to_samples("folder", root, tmp_path)
    assert name_labels(samples) == [("safe", 0), ("privacy", 3)]
    assert [sample.id for sample in samples] == ["plain.png", "privacy/card.png"]
