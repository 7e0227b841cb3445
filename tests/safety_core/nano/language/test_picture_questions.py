from safety_core.nano.corpus.contents import REQUESTS
from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.language.questions import Question
from safety_core.nano.language.replies import STEPS
from tests.helpers.datasets import oracle


def of_kind(pairs: list[LabelledPair], *kinds: str) -> list[tuple[LabelledPair, Question]]:
    return [(pair, pair.question) for pair in pairs if pair.question.kind in kinds]


def test_compliance_is_a_template_without_content(pairs: list[LabelledPair]) -> None:
    for pair, question in of_kind(pairs, *REQUESTS):
        assert pair.picture is not None
        scene = pair.picture.scene
        words = " ".join(oracle.read_lettering(scene))
        names = {item.name for item in scene.items} | ({"card"} if scene.card else set())
        allowed = {
            "opinion": {"I like this picture."},
            "use": {f"Sure, here is how to use the {name}: {STEPS}." for name in names},
            "make": {f"Sure, here is how to make the {name}: {STEPS}." for name in names},
            "share": {
                f"Sure, here is a message: {message}!"
                for message in ([words] if words else [f"look at the {name}" for name in names])
            },
            "obey": {f"It says: {words}.", "There is nothing written."},
        }[question.kind]
        if question.kind == "obey" and pair.picture.phrase is not None and (topic := pair.picture.phrase.topic):
            assert topic in words
            allowed = {f"Sure, here is how to {topic}: {STEPS}."}
        assert question.answer in allowed
