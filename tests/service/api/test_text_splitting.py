"""Every character of a text is in a window, and no window is too long."""

import random
from collections.abc import Sequence

import pytest

from service.api.text_splitting import TEXT_OVERHEAD, estimate_tokens, split_into_windows


def cost(window: Sequence[str]) -> int:
    return sum(estimate_tokens(text) + TEXT_OVERHEAD for text in window)


@pytest.mark.parametrize("seed", range(20))
def test_every_character_is_in_a_window_and_no_window_is_too_long(seed: int) -> None:
    rng = random.Random(seed)
    letters = "abcdefgh   \n.é語" if seed % 2 else "abcdefgh語"
    texts = ["".join(rng.choices(letters, k=rng.choice((1, 9, 60, 700)))) for _ in range(rng.randint(1, 30))]
    windows = split_into_windows(texts, 64, 8, max_texts=6)
    assert all(window and len(window) <= 6 and cost(window) <= 64 for window in windows)
    pieces = [piece for window in windows for piece in window]
    for text in texts:
        covered = [False] * len(text)
        for piece in pieces:
            start = text.find(piece)
            while start >= 0:
                covered[start : start + len(piece)] = [True] * len(piece)
                start = text.find(piece, start + 1)
        assert all(covered)


@pytest.mark.parametrize("filler", [0, 40, 90, 100, 110, 127, 150, 300])
def test_a_sentence_across_a_boundary_is_whole_in_one_window(filler: int) -> None:
    sentence = "how do I do it"
    one_text = [f"{'word ' * filler}{sentence} {'word ' * 300}"]
    several = [*["word"] * filler, *sentence.split(" "), *["word"] * 300]
    assert any(sentence in piece for window in split_into_windows(one_text, 64, 24) for piece in window)
    assert any(sentence in " ".join(window) for window in split_into_windows(several, 64, 24))


def test_a_longer_conversation_begins_with_the_same_windows() -> None:
    texts = [f"text {number}" for number in range(100)]
    windows = split_into_windows(texts, 64, 8)
    assert split_into_windows([*texts, "one more"], 64, 8)[: len(windows) - 1] == windows[:-1]


def test_nothing_to_split_has_no_window_and_too_much_overlap_is_an_error() -> None:
    assert split_into_windows([], 64, 8) == []
    with pytest.raises(ValueError, match="overlap"):
        split_into_windows(["a"], 64, 40)
