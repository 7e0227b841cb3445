from pathlib import Path

import pytest
from PIL import Image

from safety_core.errors import SampleError
from safety_core.small.corpus.near_duplicates import find_near_photos, find_near_texts, group_ids, normalize_words
from tests.helpers.datasets.world_folder import write_photo

SAME = "How do I keep the moss in my garden green all summer long?"


def are_near(one: str, two: str) -> bool:
    pytest.importorskip("datasketch")
    return list(find_near_texts([one, "An unrelated line about trams", two])) == [(0, 2)] or (
        (0, 2) in set(find_near_texts([one, "An unrelated line about trams", two]))
    )


@pytest.mark.parametrize(
    "copy",
    [
        SAME.upper(),
        f"RT @user: {SAME} https://example.org/x",
        SAME.replace("moss", "fern"),
        SAME.replace("all summer long", "all the summer"),
        SAME.replace("garden", "gardne"),
        SAME.replace(" ", ""),
        SAME.replace("o", "0").replace("e", "3"),
    ],
)
def test_copies_with_small_changes_are_found(copy: str) -> None:
    assert are_near(SAME, copy)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (SAME, "How do I get the rust off my bicycle before winter comes?"),
        ("Make a cake", "Make a kite"),
        ("Stop", "Shop"),
    ],
)
def test_other_texts_are_not(one: str, two: str) -> None:
    assert not are_near(one, two)


def test_short_texts_must_be_equal() -> None:
    assert are_near("NO PARKING", "No parking!")


def test_the_order_of_texts_does_not_matter() -> None:
    pytest.importorskip("datasketch")
    texts = [SAME, SAME.replace("moss", "fern"), "An unrelated line about trams", SAME.replace("green", "fresh")]
    there = {frozenset(texts[i] for i in pair) for pair in find_near_texts(texts)}
    back = {frozenset(texts[::-1][i] for i in pair) for pair in find_near_texts(texts[::-1])}
    assert there == back != set()


def test_words_are_kept_without_noise() -> None:
    assert normalize_words("RT @user: Don't  STOP—now! https://x.y") == "dont stop now"


def test_photographs_that_look_alike_are_found(tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    files = [tmp_path / f"{name}.jpg" for name in ("a", "b", "smaller", "c")]
    for seed, file in enumerate(files):
        write_photo(file, seed)
    with Image.open(files[0]) as image:
        image.resize((70, 70)).save(files[2], quality=60)
    assert list(find_near_photos(files)) == [(0, 2)]


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    pytest.importorskip("imagehash")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SampleError, match=r"broken\.jpg"):
        list(find_near_photos([tmp_path / "broken.jpg"]))


def test_groups_are_what_pairs_connect() -> None:
    groups = group_ids("abcde", [("b", "a"), ("c", "b"), ("e", "d")])
    assert groups == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}
