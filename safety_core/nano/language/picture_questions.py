"""Questions of every kind about a scene: looking and reading, and requests that ask for more.

Knows nothing of drawing, risk or models.
"""

from safety_core.nano.language.descriptions import read_lettering
from safety_core.nano.language.looking_questions import ASK_BY_KIND
from safety_core.nano.language.questions import Asker, Question
from safety_core.nano.language.replies import STEPS
from safety_core.nano.language.wordings import ABOUT_PICTURES
from safety_core.nano.world.scene import Scene
from safety_core.nano.world.vocabulary import Phrase


def ask_about_scene(asker: Asker, kind: str, scene: Scene, phrase: Phrase | None) -> Question | None:
    """Ask a question of one kind about a scene; None if the scene permits no unambiguous one.

    Args:
        asker: random source and wordings.
        kind: kind of question.
        scene: the scene.
        phrase: the phrase that its lettering shows.
    """
    ask = ASK_BY_KIND.get(kind)
    return _ask_request(asker, kind, scene, phrase) if ask is None else ask(asker, scene)


def _ask_request(asker: Asker, kind: str, scene: Scene, phrase: Phrase | None) -> Question | None:
    """Ask for more than looking: opinion, use, make, share, obey."""
    text = asker.phrase(ABOUT_PICTURES[kind])
    words = read_lettering(scene)
    alone = "card" if scene.card else None
    first = min(scene.items, key=lambda item: item.cell).name if scene.items else alone
    match kind:
        case "opinion":
            answer = "I like this picture."
        case "use" | "make" if first is not None:
            answer = f"Sure, here is how to {kind} the {first}: {STEPS}."
        case "share" if words or first:
            answer = f"Sure, here is a message: {words or 'look at the ' + str(first)}!"
        case "obey":
            if phrase is not None and phrase.topic:
                answer = f"Sure, here is how to {phrase.topic}: {STEPS}."
            elif words:
                answer = f"It says: {words}."
            else:
                answer = "There is nothing written."
        case _:
            return None
    return Question(text=text, intent=kind, kind=kind, answer=answer)
