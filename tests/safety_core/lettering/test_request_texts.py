"""Which texts are judged of a whole request: by picture, pictures together, and with the user's words."""

import pytest

from safety_core.errors import PromptError
from safety_core.inputs.text.lexicon import load_english
from safety_core.lettering.assembly import Assembler
from safety_core.lettering.bounded_reader import PictureReading, ViewReading
from safety_core.lettering.reading import Outcome
from safety_core.lettering.request_texts import LetteringSource, list_lettering_texts
from tests.helpers.engine.readers import create_lines


@pytest.fixture
def assembler() -> Assembler:
    return Assembler(load_english, lambda text: [])


def create_reading(*views: tuple[str, ...]) -> PictureReading:
    return PictureReading(
        views=tuple(
            ViewReading(outcome=Outcome.READ if texts else Outcome.NONE, lines=create_lines(*texts)) for texts in views
        )
    )


def keep_whole(text: str, share: float) -> list[str]:
    return [text]


def test_a_picture_is_judged_alone_bare_and_with_the_words(assembler: Assembler) -> None:
    texts = list_lettering_texts([create_reading(("Mind", "the gap"))], ["Why?", "Why?", ""], assembler, keep_whole)
    assert [(text.text, text.source.with_prompt) for text in texts] == [
        ('Text in the picture: "Mind the gap"', False),
        ("Mind the gap", False),
        ('Why?\nText in the picture: "Mind the gap"', True),
    ]
    assert list_lettering_texts([create_reading(())], ["Why?"], assembler, keep_whole) == []


def test_several_pictures_are_judged_alone_and_together_in_order(assembler: Assembler) -> None:
    readings = [create_reading(("Mind",)), create_reading(()), create_reading(("the gap",))]
    texts = list_lettering_texts(readings, [], assembler, keep_whole)
    assert {text.text: text.source for text in texts if "picture" not in text.text} == {
        "Mind": LetteringSource(images=(0,)),
        "the gap": LetteringSource(images=(2,)),
        "Mind the gap": LetteringSource(images=(0, 2), joint=True),
    }


def test_the_same_lettering_is_judged_once_and_named_for_each_picture(assembler: Assembler) -> None:
    same = create_reading(("Mind",))
    texts = list_lettering_texts([same, same], [], assembler, keep_whole)
    assert [text.source for text in texts if text.text == "Mind"] == [LetteringSource(images=(0, 1))]


def test_both_views_of_a_transparent_picture_are_judged(assembler: Assembler) -> None:
    texts = list_lettering_texts([create_reading(("on black",), ("on white",))], [], assembler, keep_whole)
    assert {text.text for text in texts} >= {"on black", "on white"}
    assert all(text.source == LetteringSource(images=(0,)) for text in texts)


def test_words_spread_over_transparent_pictures_are_joined_whatever_the_background(assembler: Assembler) -> None:
    readings = [create_reading(("decoy",), ("make a",)), create_reading(("bomb",), ("other",))]
    texts = {text.text for text in list_lettering_texts(readings, [], assembler, keep_whole)}
    assert texts >= {"decoy bomb", "decoy other", "make a bomb", "make a other"}


def test_too_many_choices_of_views_are_rejected(assembler: Assembler) -> None:
    readings = [create_reading((f"a{index}",), (f"b{index}",)) for index in range(9)]
    assert list_lettering_texts(readings[:4], [], assembler, keep_whole)
    with pytest.raises(PromptError) as caught:
        list_lettering_texts(readings, [], assembler, keep_whole)
    assert caught.value.code == "lettering_too_long"


def test_what_is_too_long_is_judged_in_all_its_parts(assembler: Assembler) -> None:
    def halve(text: str, share: float) -> list[str]:
        middle = len(text) // 2
        return [text[:middle], text[middle:]]

    texts = [text.text for text in list_lettering_texts([create_reading(("abcd",))], ["12"], assembler, halve)]
    assert [text for text in texts if not text.endswith('"')] == ["ab", "cd"]
    assert {text.replace('Text in the picture: "', "") for text in texts if text[0] in "12"} == {
        f'{words}\n{part}"' for words in "12" for part in ("ab", "cd")
    }
