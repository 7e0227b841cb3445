from safety_core.inputs.text.lexicon import MAX_WORD_LENGTH, Lexicon, Symbol, load_english


def letters(text: str) -> list[Symbol]:
    return [Symbol(options=((char, 0.0),), literal=char) for char in text]


def test_the_likeliest_words_are_found() -> None:
    found = load_english().segment(letters("showmethegreenwindow"))
    assert found.words == ("show", "me", "the", "green", "window")
    assert found.explained == 1


def test_what_nobody_knows_stays_as_it_is() -> None:
    found = load_english().segment(letters("qzxvkq"))
    assert found.words == ("qzxvkq",)
    assert found.explained == 0
    assert load_english().segment([]).words == ()


def test_words_may_be_added_without_changing_those_that_others_use() -> None:
    more = load_english().extend(["zorgblat"])
    assert "zorgblat" in more
    assert "zorgblat" not in load_english()
    assert len(more) == len(load_english()) + 1
    assert more.segment(letters("azorgblat")).words == ("a", "zorgblat")


def test_a_letter_may_stand_for_several() -> None:
    lexicon = Lexicon([("kill", 3.0), ("a", 1.0)])
    doubtful = [Symbol(options=(("i", 0.5), ("l", 0.5)), literal="1")] * 3
    assert lexicon.segment([*letters("k"), *doubtful]).words == ("kill",)


def test_slips_of_the_pen_are_corrected() -> None:
    assert load_english().correct("neihgbour") == "neighbour"
    assert load_english().correct("paperr") == "paper"
    assert load_english().correct("qzxvkqj") is None


def test_no_word_is_read_further_than_its_bound() -> None:
    lexicon = Lexicon([("a" * (MAX_WORD_LENGTH + 1), 1.0)])
    assert lexicon.segment(letters("a" * (MAX_WORD_LENGTH + 1))).explained == 0
