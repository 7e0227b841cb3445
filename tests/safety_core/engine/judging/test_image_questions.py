"""Which questions need a picture: the wordings of the nano's grammar on one side, everyday questions on the other."""

import re

import pytest

from safety_core.engine.judging.image_questions import DEFAULT_QUESTION, is_image_missing, is_image_question
from safety_core.engine.messages import ChatRequest, ClientMessage
from safety_core.inputs.conversation import Turn
from safety_core.nano.language.wordings import ABOUT_PICTURES, TALK
from tests.helpers.images.pictures import create_picture

PICTURE = re.compile(r"\b(?:picture|image|photo)\b")


def wordings() -> list[str]:
    """Every wording about a picture, trained or held out, with a thing in each slot."""
    texts = [text for by in ABOUT_PICTURES.values() for part in (by.trained, by.held_out) for text in part]
    return sorted({re.sub(r"\{\w+\}", "dog", text) for text in texts})


def test_whatever_asks_about_a_picture_by_name_needs_one() -> None:
    named = [text for text in wordings() if PICTURE.search(text)]
    assert len(named) > 100
    assert [text for text in named if not is_image_question(f"{text.capitalize()}?", first=False)] == []


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_QUESTION,
        "What can you see?",
        "Please tell me everything that you see.",
        "What is shown here?",
        "WHAT DO\nYOU SEE HERE",
        "\uff37hat do you see\u200b here?",
    ],
)
def test_what_a_reader_sees_is_asked_of_a_picture_where_nothing_was_told_before(text: str) -> None:
    assert is_image_question(text, first=True)
    assert not is_image_question(text, first=False)


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "What is the capital of France?",
        "Where is the Eiffel tower?",
        "How many days are in a week?",
        "Draw a picture of a dog.",
        "Describe the picture of Dorian Gray.",
        "Who painted the picture Guernica?",
        "What does the image of the dragon mean in China?",
        "How do I resize the image in my editor?",
        "What does the image tag do in HTML?",
        "Which container image is the smallest?",
        "What is a picture book?",
        "Write a poem about the image of a rose.",
        "How can I upload a picture here?",
        "What do you see as the main risk of this plan?",
        "Where do you see yourself in five years?",
        "Translate into German: What do you see here?",
        "He told me that the photo shows his mother.",
        "Summarize this: " + "A man looked at the picture. What do you see here? he asked. " * 5,
    ],
)
def test_other_questions_need_none(text: str) -> None:
    assert not is_image_question(text, first=True)


def test_no_wording_of_everyday_talk_needs_one() -> None:
    texts = [text for by, _ in TALK.values() for part in (by.trained, by.held_out) for text in part]
    assert texts
    assert [text for text in texts if not PICTURE.search(text) and is_image_question(text, first=True)] == []


def asking(*texts: str, images: int = 0) -> ClientMessage:
    return ClientMessage(role="user", texts=texts, images=images)


def test_only_the_newest_question_and_only_pictures_that_are_left_count() -> None:
    question = Turn(role="user", text="Describe the image.")
    assert is_image_missing(ChatRequest(turns=(question,)))
    assert not is_image_missing(ChatRequest(turns=(question,), images=(create_picture(),)))
    answer = Turn(role="assistant", text="There is none.")
    assert not is_image_missing(ChatRequest(turns=(question, answer, Turn(role="user", text="Then tell me a joke."))))
    system = ClientMessage(role="instructions", texts=("Describe the picture whenever there is one.",))
    told = Turn(role="user", text="Describe the picture whenever there is one.\nHello!")
    assert not is_image_missing(ChatRequest(turns=(told,), messages=(system, asking("Hello!"))))


def test_a_text_without_end_is_looked_at_in_no_time() -> None:
    assert not is_image_question("what in the picture in the " * 1_000_000, first=True)
    is_image_question("can you what " + "in the picture x " * 12, first=True)
