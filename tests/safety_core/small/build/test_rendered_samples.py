import pytest

from safety_core.small.build.rendered_samples import (
    list_document_samples,
    list_read_samples,
    list_rendered_samples,
)
from safety_core.small.lettering_plan.planning import PlannedPair, PlannedPicture
from safety_core.small.lettering_plan.rules import SAFE

RISKY, WORSE = ("privacy", 1), ("privacy", 3)


def plan(**fields: object) -> PlannedPicture:
    """A picture of a text with a risky meaning, alone and with a prompt."""
    pairs = (
        PlannedPair(prompt="", kind="none", label=RISKY),
        PlannedPair(prompt="Find her.", kind="other", label=WORSE, own=("privacy", 2)),
        PlannedPair(prompt="What is this?", kind="neutral", label=RISKY),
    )
    known = {"id": "a", "split": "train", "seed": 0, "label": RISKY, "form": "document", "text": "Name: Ada Lund"}
    return PlannedPicture(**{**known, "pairs": pairs, **fields})  # type: ignore[arg-type]


def test_a_picture_is_trained_on_by_what_can_be_seen_and_measured_by_what_can_be_read() -> None:
    picture = plan(kind="sign")
    seen = {sample.prompt: sample.label for sample in list_rendered_samples([picture], read=False)}
    assert seen == {"": SAFE, "Find her.": ("privacy", 2), "What is this?": SAFE}
    whole = {sample.prompt: sample.label for sample in list_rendered_samples([picture], read=True)}
    assert whole == {"": RISKY, "Find her.": WORSE, "What is this?": RISKY}


def test_a_document_is_harmless_until_it_is_read_since_an_empty_one_looks_the_same() -> None:
    document = plan(person=(1, "nl"))
    assert [one.label for one in list_rendered_samples([document], read=False)] == [SAFE, ("privacy", 2), SAFE]
    assert [one.picture_label for one in list_rendered_samples([document], read=True)] == [RISKY] * 3


def test_lettering_is_read_together_with_prompts_and_documents_also_alone() -> None:
    with_prompts = list(list_read_samples([plan(kind="sign")], seed=0))
    assert [sample.label for sample in with_prompts] == [WORSE, RISKY]
    assert all("Text in the picture" in sample.text for sample in with_prompts)
    filled, empty = plan(person=(1, "nl")), plan(id="b", label=SAFE, text="Name:", pairs=())
    documents = list(list_document_samples([filled, empty], seed=0))
    assert {sample.label for sample in documents if "document/b#" in sample.id} == {SAFE}
    alone = [sample for sample in documents if "document/a#framed" in sample.id]
    assert [sample.label for sample in alone] == [RISKY]
    assert len({sample.id for sample in documents}) == len(documents)


@pytest.mark.parametrize("length", [601, 5000])
def test_a_document_that_is_judged_in_parts_is_not_trained_on_as_a_whole(length: int) -> None:
    assert not list(list_document_samples([plan(text="x" * length, person=(1, "nl"))], seed=0))
