"""The questions of the nano's conversation: each example with its prompt, and one also with a harmless prompt.

The same picture twice shows that the guard judges picture and prompt together.
"""

from io import BytesIO

from safety_core.conversation_picture import Question
from safety_core.nano.build.examples import EXAMPLES, Example
from safety_core.nano.world.drawing import draw

INNOCENT_PROMPT = "What is in this picture?"
"""First prompt with the picture of the weapon."""


def list_questions() -> list[Question]:
    """List the questions in the order of the conversation."""
    questions = []
    for example in EXAMPLES:
        if example.file == "weapon.png":
            questions.append(_create_question(example, INNOCENT_PROMPT))
        questions.append(_create_question(example, example.prompt))
    return questions


def _create_question(example: Example, prompt: str) -> Question:
    png = BytesIO()
    draw(example.scene).save(png, "PNG")
    return Question(file=example.file, picture=png.getvalue(), prompt=prompt)
