import pytest

from safety_core.small.alignment.samples.captions import clean_caption, list_nouns, read_captions


@pytest.mark.parametrize(
    ("caption", "sentence"),
    [
        ("a red kite hangs over the roofs .", "A red kite hangs over the roofs."),
        ('"Two goats , one of them grey , eat ."', "Two goats, one of them grey, eat."),
        ("A goat", ""),
        ("An Asian man feeds a goat", ""),
        ("goat " * 30, ""),
        ("Un café avec une chèvre noire", ""),
    ],
)
def test_captions_become_sentences(caption: str, sentence: str) -> None:
    assert clean_caption(caption) == sentence


def test_things_are_shown_where_two_captions_agree() -> None:
    facts = read_captions(["A dog runs on grass", "A brown puppy plays", "An animal near a car"])
    assert facts.shown == ("dog",)


def test_things_are_absent_where_no_caption_names_their_group() -> None:
    facts = read_captions(["A dog in a kayak", "A wet dog"])
    assert {"bicycle", "horse"} <= set(facts.absent)
    assert not {"dog", "boat", "lake", "river"} & set(facts.absent)


def test_without_captions_nothing_is_known() -> None:
    facts = read_captions([])
    assert (facts.shown, facts.absent, facts.person, facts.counts) == ((), (), "", ())


@pytest.mark.parametrize(
    ("captions", "person"),
    [
        (["A man eats", "A man with soup"], "man"),
        (["A man eats", "A woman eats", "A man and a woman"], "person"),
        (["A child eats", "A kid with soup"], "person"),
        (["A dog eats", "A man"], ""),
    ],
)
def test_the_person_is_the_one_whom_captions_agree_on(captions: list[str], person: str) -> None:
    assert read_captions(captions).person == person


def test_numbers_count_where_captions_agree() -> None:
    assert read_captions(["Two dogs run", "2 brown dogs", "dogs"]).counts == (("dog", 2),)
    assert read_captions(["Two dogs run", "Three dogs run", "Two dogs"]).counts == ()
    assert read_captions(["Two dogs run", "A dog"]).counts == ()


def test_nouns_are_listed_once() -> None:
    assert len(set(list_nouns())) == len(list_nouns()) > 40
