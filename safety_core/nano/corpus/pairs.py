"""Labelled pairs: a question about a scene, or without one, with its risk and its replies.

Knows nothing of splits or files.
"""

from dataclasses import dataclass
from random import Random

from safety_core.nano.corpus.contents import REQUESTS
from safety_core.nano.corpus.scenes import LabelledScene, fits_intent
from safety_core.nano.language.labelling_rules import Risk, get_pair_risk, get_picture_risk
from safety_core.nano.language.picture_questions import ask_about_scene
from safety_core.nano.language.questions import Asker, Question
from safety_core.nano.language.replies import build_guarded_reply
from safety_core.nano.language.talk import sample_noise, sample_risky_talk, sample_small_talk
from safety_core.nano.language.wordings import RISKY_TALK, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPair:
    """A picture (or none) and a prompt, with their risk."""

    picture: LabelledScene | None
    """The picture; None for a prompt without one."""

    question: Question
    """The prompt."""

    risk: Risk
    """Label of both together."""

    @property
    def image_risk(self) -> Risk | None:
        """Label of the picture alone."""
        return None if self.picture is None else get_picture_risk(self.picture.content)

    @property
    def text_risk(self) -> Risk:
        """Label of the words alone."""
        return self.question.own_risk

    @property
    def naive_reply(self) -> str:
        """Reply of a model without safety modules."""
        return self.question.answer

    @property
    def guarded_reply(self) -> str:
        """Desired reply of a guarded model."""
        return build_guarded_reply(self.question.answer, self.risk)

    @property
    def prompt_decides(self) -> bool:
        """Whether the label of the picture alone differs from that of the pair."""
        return self.picture is not None and self.risk != self.image_risk

    @property
    def needs_picture(self) -> bool:
        """Whether the words alone are less harmful than the pair."""
        return self.risk.level > self.question.own_risk.level


def ask(rng: Random, picture: LabelledScene, kind: str, *, part: Part) -> LabelledPair | None:
    """Ask a question of one kind about a picture and label the pair; None if the question would be ambiguous."""
    asker = Asker(rng=rng, part=part)
    if kind == "talk":
        question: Question | None = sample_small_talk(asker)
    elif kind == "noise":
        question = sample_noise(asker, picture.scene)
    elif kind == "risky_talk":
        question = sample_risky_talk(asker, *rng.choice(list(RISKY_TALK)))
    else:
        if kind in REQUESTS and not fits_intent(picture, kind):
            return None
        question = ask_about_scene(asker, kind, picture.scene, picture.phrase)
    if question is None:
        return None
    risk = get_pair_risk(picture.content, question.intent, question.own_risk)
    return LabelledPair(picture=picture, question=question, risk=risk)


def ask_without_picture(rng: Random, *, part: Part) -> LabelledPair:
    """Sample a prompt without a picture: small talk, a risky request, or noise."""
    asker = Asker(rng=rng, part=part)
    draw = rng.random()
    if draw < 0.45:
        question = sample_small_talk(asker)
    elif draw < 0.9:
        question = sample_risky_talk(asker, *rng.choice(list(RISKY_TALK)))
    else:
        question = sample_noise(asker, None)
    return LabelledPair(picture=None, question=question, risk=question.own_risk)
