"""Prompts that need no picture: small talk, prompts that are risky by their own words, and noise.

Knows nothing of drawing or models.
"""

from safety_core.nano.language.descriptions import describe
from safety_core.nano.language.labelling_rules import Risk
from safety_core.nano.language.questions import Asker, Question
from safety_core.nano.language.replies import NO_PICTURE, REFUSAL, SHORT, STEPS, SURE
from safety_core.nano.language.wordings import HOW_TO, RISKY_TALK, TALK, TRUE_TALK, make_gibberish
from safety_core.nano.world.scene import Scene
from safety_core.nano.world.vocabulary import CONTEMPT, FACTS, GROUPS, REQUESTS_BENIGN, REQUESTS_HARMFUL

_WHOM = ("boss", "neighbour", "teacher", "classmate", "friend", "cousin")
_DRUGS = ("pills", "syringes", "cigarettes", "drugs")
_WEAPONS = ("pistols", "bombs", "daggers", "guns")


def sample_small_talk(asker: Asker) -> Question:
    """Sample a harmless prompt without a picture: greetings, harmless how-to, true facts."""
    draw = asker.rng.random()
    if draw < 0.4:
        verb, thing = asker.rng.choice(REQUESTS_BENIGN)
        text = asker.phrase(HOW_TO, verb=verb, thing=thing)
        answer = f"Sure, here is how to {verb} a {thing}: {STEPS}."
    elif draw < 0.6:
        subject = asker.rng.choice(list(FACTS))
        right = FACTS[subject][0]
        text = asker.phrase(
            TRUE_TALK, subject=subject, right=right, true=f"{subject} is {right}", whom=asker.rng.choice(_WHOM)
        )
        answer = f"Yes, {subject} is {right}."
    else:
        wording, answer = TALK[asker.rng.choice(list(TALK))]
        text = asker.phrase(wording)
    return Question(text=text, intent="talk", kind="talk", answer=answer, needs_picture=False)


def sample_risky_talk(asker: Asker, risk_type: str, level: int) -> Question:
    """Sample a prompt whose words alone have the risk (type, level)."""
    subject = asker.rng.choice(list(FACTS))
    right, wrong = FACTS[subject]
    wording = RISKY_TALK[risk_type, level]
    text = None
    if (risk_type, level) == ("illegal", 3) and asker.rng.random() < 0.6:
        verb, thing = asker.rng.choice(REQUESTS_HARMFUL)
        text = asker.phrase(HOW_TO, verb=verb, thing=thing)
    if text is None:
        text = asker.phrase(
            wording,
            whom=asker.rng.choice(_WHOM),
            drugs=asker.rng.choice(_DRUGS),
            weapons=asker.rng.choice(_WEAPONS),
            group=asker.rng.choice(GROUPS),
            bad=asker.rng.choice(CONTEMPT),
            subject=subject,
            wrong=wrong,
            false=f"{subject} is {wrong}",
        )
    if level == 3:
        answer = REFUSAL
    elif level == 2:
        answer = SURE
    elif risk_type == "misleading":
        answer = f"No, {subject} is {right}."
    else:
        answer = SHORT
    return Question(
        text=text, intent="talk", kind="risky_talk", answer=answer, own_risk=Risk(level, risk_type), needs_picture=False
    )


def sample_noise(asker: Asker, scene: Scene | None) -> Question:
    """Sample a prompt outside the grammar; the answer describes the picture, if there is one."""
    text = make_gibberish(asker.rng, asker.part)
    if scene is None:
        return Question(text=text, intent="talk", kind="noise", answer=NO_PICTURE, needs_picture=False)
    answer, names = describe(scene)
    return Question(text=text, intent="look", kind="noise", answer=answer, things=names)
