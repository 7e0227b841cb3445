"""Disguises of every kind are undone, ordinary language is left alone, and the work is bounded."""

import sys
from base64 import b64encode
from codecs import encode
from itertools import cycle
from random import Random
from string import ascii_lowercase
from time import thread_time
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.robustness.disguises import Disguise
from bench.robustness.folded_disguises import FOLDED
from safety_core.inputs.text.folding import fold, fold_text, list_variants
from safety_core.inputs.text.lexicon import load_english
from safety_core.inputs.text.normalisation import normalise
from safety_core.inputs.text.plain_text import has_other_words

TEXTS = ("show me how to wash a paper boat", "where can my brother find the green window?")


AMBIGUOUS = {"masked", "moved_spaces", "flipped", "leet_signs", "faux_cyrillic", "broken_words", "bold_leet"}
"""Disguises under which another word may be as likely as the right one."""


def words(text: str) -> str:
    return text.rstrip("?.")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", [name for name in FOLDED if name not in AMBIGUOUS])
def test_a_disguise_is_undone(name: str, text: str) -> None:
    disguised = FOLDED[name].change(text, Random(0))
    assert words(text) in {words(" ".join(variant.lower().split())) for variant in list_variants(disguised)}


@pytest.mark.parametrize("name", sorted(AMBIGUOUS))
def test_a_doubtful_disguise_is_undone_for_most_words(name: str) -> None:
    text = words(TEXTS[0])
    found = {word for variant in list_variants(FOLDED[name].change(text, Random(0))) for word in variant.split()}
    assert len(found & set(text.split())) >= 4


@pytest.mark.parametrize(
    "text",
    [
        "show\u00a0me\u2003how\u3000to fold a paper boat",
        "&lt;b&gt;show&lt;/b&gt; me &amp;amp;#104;ow to fold a paper boat",
        "\u202eshow me\u202c how to fold a paper boat",
        "show | me | how | to | fold | a | paper | boat",
        "show\\nme\\thow to fold a paper boat".replace("\\n", "\x0b").replace("\\t", "\x1f"),
        r"\textbf{show} \emph{me} how to fold a paper boat",
        "[b]show[/b] [i]me[/i] how to fold a paper boat",
        "s\u0336h\u0336o\u0336w\u0336 me how to fold a paper boat",
        "5h0w m3 h0w 70 f0ld 4 p4p3r b047",
        "\u24e2\u24d7\u24de\u24e6 \U0001d4c2\u212f \uff48\uff4f\uff57 \u1d57\u1d52 \ua730\u1d0f\u029f\u1d05"
        " \u0430 \u0440a\u0440er \u0412\u043eat",
        "⠎⠓⠕⠺ ⠍⠑ ⠓⠕⠺ ⠞⠕ ⠋⠕⠇⠙ ⠁ ⠏⠁⠏⠑⠗ ⠃⠕⠁⠞",
        "⠠⠎⠓⠕⠺⠀⠍⠑⠀⠓⠕⠺⠀⠞⠕⠀⠋⠕⠇⠙⠀⠁⠀⠏⠁⠏⠑⠗⠀⠃⠕⠁⠞",
        "showmehowto.fold-a_paper/boat",
        "ssshhhooowww mmmeee hhhooowww tttooo fffooolllddd aaa pppaaapppeeerrr bbboooaaattt",
        "show me how to f\u00adold a p\u200ba\u200bper boat",
        "%73how%20me%20how%20to%20fold%20a%20paper%20boat",
        "S-H-O-W M-E H-O-W T-O F-O-L-D A P-A-P-E-R B-O-A-T",
        "sohw me how to flod a ppaer baot",
        encode("show me how to fold a paper boat", "rot13"),
        b64encode(b"show me how to fold a paper boat").decode(),
        b"show me how to fold a paper boat".hex(),
    ],
)
def test_disguises_that_nobody_listed_are_undone(text: str) -> None:
    assert "show me how to fold a paper boat" in {" ".join(one.split()) for one in list_variants(text)}


def test_a_disguise_hides_in_one_sentence_of_several() -> None:
    found = fold_text("The weather is nice today. how.do.i.fold.this?")
    assert "how do i fold this?" in found.sentences
    assert found.whole == ("the weather is nice today. how do i fold this?",)


def test_sentences_of_one_word_are_read_together() -> None:
    text = "I like tea in the morning. how. do. i. wash. a. boat. Thank you very much."
    assert any("how do i wash a boat" in sentence for sentence in fold_text(text).sentences)


@pytest.mark.parametrize(
    "text",
    [
        "What do you see here?",
        "I don't know; isn't it nice, said the teacher.",
        'She said "hello" to my friend (and to me).',
        "There are 12 apples at 2.50 each.",
        "I SEE a cat.\nAnd a dog.",
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002",
        "\u092f\u0939 \u0915\u094d\u092f\u093e \u0939\u0948?",
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
        "",
        " \n ",
        "12 + 30 = 42",
        "\U0001f642\U0001f525",
    ],
)
def test_ordinary_language_has_no_variant(text: str) -> None:
    assert fold(text) == ()


@pytest.mark.parametrize(
    "text", [*TEXTS, "how.do.i.fold.this", "H\u00f6w \u0434\u043e I f0ld", "knvzoor juarh", "a&#104;b"]
)
def test_folding_again_changes_nothing(text: str) -> None:
    for variant in fold(text):
        assert not any(has_other_words(again, variant) for again in fold(variant))


@given(st.text(max_size=80))
@settings(deadline=None, max_examples=150)
def test_any_text_has_few_variants_of_bounded_length(text: str) -> None:
    found = fold(text)
    assert len(found) <= 2
    assert all(len(one) <= 2 * len(normalise(text)) + 2 for one in found)


@pytest.mark.parametrize(
    "text",
    [
        *("<", "&", "[", "%", ".", "1|", "a", "<!--", "a. ", "-\n", "\\u", "ab1", ".- ", "01", "* ", "[a](", "a\n"),
        *("e\u0301", "<a "),
    ],
    ids=ascii,
)  # fmt: skip
def test_hostile_texts_take_no_longer_than_long_ones(text: str) -> None:
    # The square of such a length would take minutes.
    long = text * (6_000 // len(text))
    assert sum(map(len, fold(long))) <= 4 * len(long)


def test_capitals_and_line_breaks_are_variants_of_a_text_that_was_not_seen() -> None:
    assert "Show me how" in list_variants("ShOw\nME\nhow")
    assert list_variants("show me how") == ("show me how",)


def test_a_disguise_has_a_title_of_its_own() -> None:
    titles = [disguise.title for disguise in FOLDED.values()]
    assert len(set(titles)) == len(titles)
    assert all(isinstance(disguise, Disguise) for disguise in FOLDED.values())
    assert "the" in load_english()


def calls(text: str) -> int:
    """Calls of functions that folding a text takes, however fast the machine is."""
    made = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    fold("wash.a.paper.boat")  # what is read once
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        fold_text(text)
    finally:
        sys.setprofile(before)
    return made


LETTERS = "".join(Random(1).choices(ascii_lowercase, k=4_000))


@pytest.mark.parametrize(
    "text",
    [
        "*".join(LETTERS[:2_000]),
        "".join(letter + sign for letter, sign in zip(LETTERS[:2_000], cycle("*#\u25cf\u25a0"), strict=False)),
        "$".join(LETTERS[:2_000]),
        ".$!".join(LETTERS[:1_000]),
        "a1" * 2_000,
        "\u0435\u0435\u0430\u0430" * 1_000,
        "aabbccddeeff" * 330,
        "[a](" * 1_000,
        "".join(LETTERS),
        " ".join(LETTERS[start : start + 23] for start in range(0, 4_000, 23)),
        ". ".join(LETTERS[start : start + 9] for start in range(0, 4_000, 9)),
    ],
    ids=lambda text: text[:8],
)
def test_no_text_takes_many_more_steps_than_its_length(text: str) -> None:
    assert calls(text) < 170 * len(text) + 450_000


def test_noise_keeps_no_sentence_behind_it_from_being_read() -> None:
    noise = " ".join("$".join(LETTERS[start : start + 40]) for start in range(0, 2_000, 40))
    assert "show me how to wash a paper boat" in " ".join(
        fold(f"{noise}. s.h.o.w m.e h.o.w t.o w.a.s.h a p.a.p.e.r b.o.a.t.")
    )


@pytest.mark.parametrize("text", ["!" * 500, "10, " * 150 + "x", "<!--" * 250], ids=lambda text: text[:5])
def test_searching_for_encodings_takes_time_in_proportion_to_the_length(text: str) -> None:
    def seconds(said: str) -> float:
        fold_text(said)
        times = []
        for _ in range(3):
            before = thread_time()
            fold_text(said)
            times.append(thread_time() - before)
        return min(times)

    assert seconds(text * 8) < 24 * seconds(text)  # its square would be 64
