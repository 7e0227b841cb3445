from pathlib import Path

from safety_core.evaluation.benchmarks.reporting.thumbnails import MOST_BYTES, read_thumbnail
from safety_core.evaluation.benchmarks.run_files import THUMBNAILS_FOLDER
from tests.helpers.benchmarks.run_folders import draw_thumbnail

DIGEST = "a" * 64


def write(folder: Path, content: bytes, digest: str = DIGEST) -> None:
    (folder / THUMBNAILS_FOLDER).mkdir(exist_ok=True)
    (folder / THUMBNAILS_FOLDER / f"{digest}.jpg").write_bytes(content)


def test_a_thumbnail_becomes_data_with_its_size(tmp_path: Path) -> None:
    write(tmp_path, draw_thumbnail(1))
    thumbnail = read_thumbnail(tmp_path, DIGEST)
    assert thumbnail is not None
    assert thumbnail.data.startswith("data:image/jpeg;base64,")
    assert (thumbnail.width, thumbnail.height) == (160, 120)


def test_missing_large_and_other_files_and_paths_are_left_out(tmp_path: Path) -> None:
    assert read_thumbnail(tmp_path, DIGEST) is None
    for content in (b"<svg onload='x'/>", draw_thumbnail(1) + bytes(MOST_BYTES)):
        write(tmp_path, content)
        assert read_thumbnail(tmp_path, DIGEST) is None
    assert read_thumbnail(tmp_path, "../run") is None
