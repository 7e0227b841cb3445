import pytest

from safety_core.evaluation.benchmarks.suites.abilities.questions import Question, find_answer

YES_NO = Question(form="yes_no", expected="yes")
OPTIONS = Question(form="choice", expected="A", options=("a red apple", "an apple", "Two", "none of them"))


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("**Yes**, there is a dog.", "yes"),
        ("No, but there is a yes sign.", "no"),
        ("The answer is yes.", "yes"),
        ("I would say no here.", "no"),
        ("There is a dog in the image.", "yes"),
        ("There is no dog in the image.", "no"),
        ("There isn’t any dog.", "no"),
        ("The image shows a dog.", "yes"),
        ("The image does not show a dog. Yes, it is empty.", "no"),
        ("It is not possible to say yes or no.", None),
        ("I can't help with that request.", None),
        ("I\u2019m sorry, no.", None),
        ("Dogs are nice.", None),
        ("", None),
    ],
)
def test_yes_and_no_are_found_by_the_rules(reply: str, answer: str | None) -> None:
    assert find_answer(YES_NO, reply) == answer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("B", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("(C)", "C"),
        ("B. an apple", "B"),
        ("A) a red apple", "A"),
        ("The answer is D", "D"),
        ("Answer: C", "C"),
        ("The correct option is **B**.", "B"),
        ("I choose (C) because it is right.", "C"),
        ("A man holds two things", "C"),
        ("It is a red apple.", "A"),
        ("It shows an apple", "B"),
        ("E", None),
        ("A red square and an apple and two of them", None),
        ("I do not know.", None),
        ("", None),
    ],
)
def test_letters_and_words_of_options_are_found_by_the_rules(reply: str, answer: str | None) -> None:
    assert find_answer(OPTIONS, reply) == answer
