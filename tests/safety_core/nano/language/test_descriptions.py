from collections import Counter

from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.language.questions import Question
from tests.helpers.datasets import oracle


def of_kind(pairs: list[LabelledPair], *kinds: str) -> list[tuple[LabelledPair, Question]]:
    return [(pair, pair.question) for pair in pairs if pair.question.kind in kinds]


def test_descriptions_name_everything_and_nothing_else(pairs: list[LabelledPair]) -> None:
    for pair, question in of_kind(pairs, "describe", "noise"):
        assert pair.picture is not None
        scene = pair.picture.scene
        things, background, words = oracle.parse_description(question.answer)
        assert things == Counter(oracle.name_item(item) for item in scene.items)
        assert background == scene.background
        assert words == oracle.read_lettering(scene)
        assert set(question.things) == {item.name for item in scene.items}
