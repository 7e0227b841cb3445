import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.inputs.conversation import Turn

ASKED, SAID, ASKED_AGAIN = (
    Turn(role="user", text="What is it?"),
    Turn(role="assistant", text="A dog."),
    Turn(role="user", text="What kind?"),
)


def make_sample(*turns: Turn) -> Sample:
    label = RiskLabel(type=0, level=0)
    return Sample(id="a", images=(), conversation=turns, label=label, file="data.jsonl", line=7)


@pytest.mark.parametrize(
    ("conversation", "prompt", "answer"),
    [
        ((), (), None),
        ((ASKED,), (ASKED,), None),
        ((ASKED, SAID), (ASKED,), "A dog."),
        ((ASKED, SAID, ASKED_AGAIN), (ASKED, SAID, ASKED_AGAIN), None),
        ((ASKED, SAID, ASKED_AGAIN, SAID), (ASKED, SAID, ASKED_AGAIN), "A dog."),
    ],
)
def test_a_reply_at_the_end_is_learned_and_is_no_part_of_the_prompt(
    conversation: tuple[Turn, ...], prompt: tuple[Turn, ...], answer: str | None
) -> None:
    sample = make_sample(*conversation)
    assert (sample.turns, sample.answer) == (prompt, answer)


def test_an_error_about_a_sample_names_its_record() -> None:
    assert str(make_sample().create_error("the image is missing", "image")) == (
        "data.jsonl:7: image: the image is missing"
    )
