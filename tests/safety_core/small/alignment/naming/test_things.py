import pytest

from safety_core.small.alignment.naming.things import Thing, add_article, find_head, find_thing, form_plural


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [
        ("otter", "an otter"),
        ("dog", "a dog"),
        ("unicycle", "a unicycle"),
        ("umbrella", "an umbrella"),
        ("European robin", "a European robin"),
        ("hourglass", "an hourglass"),
    ],
)
def test_articles_follow_the_sound(noun: str, phrase: str) -> None:
    assert add_article(noun) == phrase


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("otter", "otters"),
        ("box", "boxes"),
        ("cherry", "cherries"),
        ("monkey", "monkeys"),
        ("fire wolf", "fire wolves"),
        ("glass of wine", "glasses of wine"),
        ("woman", "women"),
    ],
)
def test_plurals(noun: str, plural: str) -> None:
    assert form_plural(noun) == plural


def test_people_say_other_names_than_labels() -> None:
    thing = find_thing("cab")
    assert thing.phrase == "a taxi"
    assert {"taxi", "cab", "taxicab"} <= set(thing.names)


def test_forms_decide_about_the_article() -> None:
    assert find_thing("hay").phrase == "hay"
    assert find_thing("binoculars").phrase == "a pair of binoculars"
    assert find_thing("jean").phrase == "jeans"
    assert not find_thing("binoculars").is_countable


def test_an_unlisted_label_names_itself() -> None:
    assert find_thing("hill-dwelling zorp") == Thing(label="hill-dwelling zorp", noun="hill-dwelling zorp")


def test_the_last_word_names_a_thing_unless_it_is_something_else() -> None:
    assert find_head("spotted hound") == "hound"
    assert find_head("ox") == ""
    assert "hound" in find_thing("Afghan hound").names
    assert "lion" not in find_thing("sea lion").names
