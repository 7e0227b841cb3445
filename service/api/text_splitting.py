"""Splits texts into windows that overlap. Knows no guard and no tokenizer.

Each window starts with the end of the one before, so that text across a boundary is read in one piece. Tokens are
estimated from characters.
"""

from collections.abc import Callable, Iterable, Sequence

MAX_TEXTS = 64
"""Maximum texts in one window: each is also judged by itself, so this bounds the work for one window."""

TEXT_OVERHEAD = 2
"""Estimated tokens that separate a text from the next one."""

_MAX_REPEATED_TEXTS = 8
"""Maximum texts that a window repeats from the one before."""


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text conservatively: one for two ASCII characters or one byte of other characters."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return -(-ascii_count // 2) + len(text.encode("utf-8", "replace")) - ascii_count


def split_into_windows(
    texts: Sequence[str],
    max_tokens: int,
    overlap: int,
    *,
    max_texts: int = MAX_TEXTS,
    count: Callable[[str], int] = estimate_tokens,
) -> list[list[str]]:
    """Split texts into windows, in order; every character of every text is in at least one.

    Args:
        texts: the texts to be judged.
        max_tokens: maximum tokens of a window, including separators.
        overlap: tokens at the end of a window that the next one begins with; less than half of ``max_tokens``.
        max_texts: maximum texts of a window.
        count: counts the tokens of a text; must not decrease as the text grows.

    Raises:
        ValueError: ``overlap`` is too large.
    """
    if not 0 <= overlap <= max_tokens // 2:
        raise ValueError("the overlap must be at most half of a window")
    room = max(1, max_tokens - overlap - 2 * TEXT_OVERHEAD)  # for the part after the overlap
    windows: list[list[str]] = []
    window: list[str] = []
    used, fresh = 0, False
    for text in texts:
        for piece in _cut_text(text, room, overlap, count):
            cost = count(piece) + TEXT_OVERHEAD
            if window and (used + cost > max_tokens or len(window) >= max_texts):
                if fresh:
                    windows.append(window)
                window = _repeat_end(window, overlap, min(_MAX_REPEATED_TEXTS, max_texts // 2), count)
                used = sum(count(part) + TEXT_OVERHEAD for part in window)
            window.append(piece)
            used += cost
            fresh = True
    if fresh:
        windows.append(window)
    return windows


def _repeat_end(window: Sequence[str], overlap: int, max_texts: int, count: Callable[[str], int]) -> list[str]:
    """Return the last texts of a window, and as much of the text before them as fits."""
    repeated: list[str] = []
    remaining = overlap
    for text in reversed(window):
        if len(repeated) >= max_texts:
            break
        cost = count(text) + TEXT_OVERHEAD
        if cost <= remaining:
            repeated.insert(0, text)
            remaining -= cost
            continue
        end = _take_end(text, remaining - TEXT_OVERHEAD, count)
        if end:
            repeated.insert(0, end)
        break
    return repeated


def _cut_text(text: str, max_tokens: int, overlap: int, count: Callable[[str], int]) -> Iterable[str]:
    """Cut a text into pieces of limited tokens, between words if possible."""
    if count(text) <= max_tokens:
        yield text
        return
    start = 0
    while start < len(text):
        end = start + _measure_prefix(text[start : start + 4 * max_tokens], max_tokens, count)
        if end < len(text):
            space = max(text.rfind(mark, start + (end - start) // 2, end) for mark in (" ", "\n"))
            end = space + 1 if space > start else end
        yield text[start:end]
        if end >= len(text):
            return
        # The next piece repeats the last words of this one, but always begins behind its first half.
        overlap_length = len(_take_end(text[start:end], min(overlap, max_tokens // 2), count))
        start = max(end - overlap_length, start + (end - start) // 2, start + 1)


def _measure_prefix(text: str, max_tokens: int, count: Callable[[str], int]) -> int:
    """Measure the longest prefix of a text with at most ``max_tokens`` tokens; returns characters, at least 1."""
    low, high = 1, max(1, len(text))
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _take_end(text: str, max_tokens: int, count: Callable[[str], int]) -> str:
    """Take the end of a text with at most this number of tokens, from the beginning of a word if possible."""
    if max_tokens <= 0:
        return ""
    text = text[-4 * max_tokens :]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[len(text) - middle :]) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    end = text[len(text) - low :]
    if low < len(text):
        _, space, words = end.partition(" ")
        end = words if space and words else end
    return end
