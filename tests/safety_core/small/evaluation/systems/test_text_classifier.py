from pathlib import Path

import pytest

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.systems.false_alarms import FalseAlarms
from safety_core.small.evaluation.systems.lettering_texts import LetteringTexts
from safety_core.small.evaluation.systems.text_classifier import LabelledTexts, TextClassifier, TfIdfFeatures
from tests.helpers.datasets.real_items import make_item

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'safevlm-guard[eval]'")

HARMLESS = [f"bake a {thing} cake for {who}" for thing in ("plum", "pear", "nut") for who in ("Ann", "Bob", "Cleo")]
HARMFUL = [f"rob a {thing} bank with {who}" for thing in ("big", "small", "old") for who in ("Ann", "Bob", "Cleo")]


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    texts = LabelledTexts(texts=HARMLESS + HARMFUL, levels=[0] * len(HARMLESS) + [3] * len(HARMFUL))
    return TextClassifier(
        TfIdfFeatures(),
        training=texts,
        calibration=texts,
        harmless=HARMLESS,
        alarms=FalseAlarms(flagged=0.0, refused=0.0),
        lettering=LetteringTexts(None, Path("none.jsonl")),
    )


def test_it_learns_from_words_and_flags_no_harmless_text(classifier: TextClassifier) -> None:
    items = [make_item("rob the bank"), make_item("bake the cake")]
    risky, harmless = classifier.score(items)
    assert risky.risk is not None
    assert harmless.risk is not None
    assert risky.risk > 0.5 > harmless.risk
    assert risky.decision is Decision.REFUSED
    assert harmless.decision is Decision.ALLOWED
    assert risky.seconds is not None


def test_a_picture_without_words_is_allowed_unseen(classifier: TextClassifier) -> None:
    (score,) = classifier.score([make_item("x", prompt="", picture=Path("x.jpg"))])
    assert (score.risk, score.decision, score.seconds) == (0.0, Decision.ALLOWED, None)
