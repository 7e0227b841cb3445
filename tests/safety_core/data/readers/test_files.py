from pathlib import Path

import pytest

from safety_core.data.readers.files import (
    find_data_folder,
    find_files,
    find_first_file,
    find_image,
    find_images,
    is_hidden,
)
from safety_core.errors import SampleError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def list_names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def test_files_of_any_pattern_are_found_once_and_sorted(tmp_path: Path) -> None:
    touch(
        tmp_path, "b.json", "a.json", "deep/c.json", "a.csv", "notes.txt", "__MACOSX/d.json", ".cache/e.json", ".f.json"
    )
    (tmp_path / "folder.json").mkdir()
    assert list_names(tmp_path, find_files(tmp_path, "**/*.json", "*.json", "*.csv")) == [
        "a.csv",
        "a.json",
        "b.json",
        "deep/c.json",
    ]


def test_no_file_of_a_pattern_is_an_error_that_names_folder_and_patterns(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.json")
    with pytest.raises(SampleError, match=r"no file matches \['\*\.json', '\*\.csv'\]") as caught:
        find_files(tmp_path, "*.json", "*.csv")
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(tmp_path), 0, "file")


def test_the_first_name_that_is_there_wins(tmp_path: Path) -> None:
    touch(tmp_path, "second.json", "third.json")
    (tmp_path / "first.json").mkdir()
    assert find_first_file(tmp_path, "first.json", "second.json", "third.json") == tmp_path / "second.json"
    with pytest.raises(SampleError, match=r"none of \['first\.json', 'gone\.json'\] exists"):
        find_first_file(tmp_path, "first.json", "gone.json")


def test_a_set_may_lie_in_its_folder_named_data(tmp_path: Path) -> None:
    assert find_data_folder(tmp_path, "images") == tmp_path
    (tmp_path / "data").mkdir()
    assert find_data_folder(tmp_path, "images") == tmp_path / "data"
    (tmp_path / "images").mkdir()
    assert find_data_folder(tmp_path, "images") == tmp_path


def test_of_several_places_of_an_image_the_first_that_exists_counts(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "c.png")
    a, b, c = (tmp_path / f"{name}.png" for name in "abc")
    assert find_image(a, c, b) == c
    assert find_image(a, tmp_path / "gone.png") == a, "the error then names the first place"


def test_images_are_found_at_any_depth_whatever_the_case_of_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a/z.jpeg", "a/y.webp", "a/x.txt", ".thumbs/1.png", "__MACOSX/2.png", "c.gif", "._c.gif")
    (tmp_path / "folder.png").mkdir()
    assert list_names(tmp_path, list(find_images(tmp_path))) == ["a/y.webp", "a/z.jpeg", "b.PNG", "c.gif"]


@pytest.mark.parametrize(
    ("path", "hidden"), [(".a", True), ("a/.b/c", True), ("__MACOSX/a", True), ("a/b.png", False), ("a.b/c", False)]
)
def test_what_systems_and_tools_leave_behind_is_hidden(path: str, hidden: bool) -> None:
    assert is_hidden(Path(path)) is hidden


def test_a_set_may_itself_lie_in_a_hidden_folder(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/set/a.png", ".cache/set/a.json")
    root = tmp_path / ".cache" / "set"
    assert list_names(root, list(find_images(root))) == ["a.png"]
    assert list_names(root, find_files(root, "*.json")) == ["a.json"]
