"""Stop strings: however they are cut into pieces, the text ends before the first of them, and nothing else is lost."""

from random import Random

import pytest

from safety_core.engine.generation.stop_strings import StopStrings


def said(strings: tuple[str, ...], pieces: list[str]) -> tuple[str, bool]:
    stops = StopStrings(strings)
    text = ""
    for piece in pieces:
        text += stops.push(piece)
        if stops.met:
            break
    return text + stops.finish(), stops.met


def test_any_cut_of_a_text_ends_where_its_first_stop_string_begins() -> None:
    rng = Random(0)
    for _ in range(2000):
        text = "".join(rng.choice("ab\n") for _ in range(rng.randint(0, 12)))
        strings = tuple("".join(rng.choice("ab\n") for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(1, 3)))
        cuts = sorted(rng.randint(0, len(text)) for _ in range(4))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        places = [place for place in map(text.find, strings) if place >= 0]
        expected = (text[: min(places)], True) if places else (text, False)
        shown, met = said(strings, pieces)
        # Cut into pieces, a longer string that began earlier may end later than a shorter one behind it.
        assert met == expected[1]
        assert shown == expected[0] or (met and text.startswith(shown) and not any(s in shown for s in strings))


def test_what_could_begin_a_stop_string_is_held_back_and_no_more() -> None:
    stops = StopStrings(("END",))
    assert [stops.push(piece) for piece in ("a E", "N", "x EN")] == ["a ", "", "ENx "]
    assert stops.finish() == "EN"


@pytest.mark.parametrize("strings", [(), ("",)])
def test_without_stop_strings_every_piece_passes(strings: tuple[str, ...]) -> None:
    assert said(strings, ["a", "", "b"]) == ("ab", False)
