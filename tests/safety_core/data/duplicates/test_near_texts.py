import tracemalloc

import pytest

from safety_core.data.duplicates.groups import group_keys
from safety_core.data.duplicates.near_texts import find_near_texts, normalize_words

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


def test_of_a_crowd_neighbours_and_the_first_are_compared() -> None:
    pytest.importorskip("datasketch")
    texts = [f"{SAME} Please answer number {number} of this long list at once." for number in range(60)]
    every = set(find_near_texts(texts))
    assert len(every) == 60 * 59 // 2
    few = set(find_near_texts(texts, crowd=5))
    assert few < every
    assert len(set(group_keys(range(60), few).values())) == 1


def test_the_texts_themselves_are_not_kept() -> None:
    pytest.importorskip("datasketch")
    list(find_near_texts([SAME]))  # the libraries are imported before memory is measured
    texts = (" ".join(f"{'extraordinarily' * 8}{text}x{word}" for word in range(100)) for text in range(400))
    tracemalloc.start()
    try:
        list(find_near_texts(texts))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400 * 100 * 8 * len("extraordinarily") / 2
