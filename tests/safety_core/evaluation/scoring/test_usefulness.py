import pytest

from safety_core.evaluation.scoring.usefulness import ThingFinder, compute_f1, matches_answer


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        ("Two dogs.", "two  dogs", True),
        ("two dogs", "Two dogs.", True),
        ("Two dogs. Please be careful.", "Two dogs.", False),
        ("", "yes", False),
        ("yes", "no", False),
    ],
)
def test_exact(reply: str, answer: str, right: bool) -> None:
    assert matches_answer(reply, answer) is right


def test_things_are_found_by_any_form_and_the_longest_wins() -> None:
    find = ThingFinder({"card": ("card", "cards"), "playing card": ("playing card",), "knife": ("knife", "knives")})
    assert find("A Playing card and two KNIVES.") == {"playing card", "knife"}
    assert find("a cardboard box") == frozenset()


def test_a_form_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match="'bat' names both"):
        ThingFinder({"animal": ("bat",), "club": ("bat",)})


def test_nothing_can_be_found_without_a_vocabulary() -> None:
    assert ThingFinder({})("a dog") == frozenset()


@pytest.mark.parametrize(
    ("found", "wanted", "score"),
    [({"a", "b"}, {"b", "c"}, 0.5), (set(), set(), 1.0), (set(), {"a"}, 0.0), ({"a"}, {"a", "b", "c"}, 0.5)],
)
def test_f1(found: set[str], wanted: set[str], score: float) -> None:
    assert compute_f1(found, wanted) == score
