"""Classifiers of texts: features of a text, then logistic regression over the four levels."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from safety_core.policy.policy import Decision
from safety_core.small.evaluation.items.item import Item
from safety_core.small.evaluation.systems.false_alarms import FalseAlarms, choose_thresholds
from safety_core.small.evaluation.systems.lettering_texts import LetteringTexts
from safety_core.small.evaluation.systems.system import Score

REFUSED_LEVEL = 2
"""Lowest level that counts towards the probability by which a text is refused."""

STRENGTHS = (1.0, 10.0)
"""Inverse strengths of regularisation; the one with the smaller loss on calibration texts is taken."""


class Features(Protocol):
    """Turns texts into rows of numbers, dense or sparse."""

    def fit(self, texts: Sequence[str]) -> Any:
        """Adapt to training texts, and return their rows."""
        ...

    def transform(self, texts: Sequence[str]) -> Any:
        """Return the rows of texts."""
        ...


class TfIdfFeatures:
    """Words and pairs of words, weighted by how rare they are."""

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)

    def fit(self, texts: Sequence[str]) -> Any:
        """Learn words and their weights, and return the rows of the texts."""
        return self._vectorizer.fit_transform(texts)

    def transform(self, texts: Sequence[str]) -> Any:
        """Return the rows of texts; unknown words count for nothing."""
        return self._vectorizer.transform(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTexts:
    """Texts with their levels."""

    texts: Sequence[str]
    levels: Sequence[int]


class TextClassifier:
    """A trained classifier with thresholds.

    Args:
        features: turns texts into rows.
        training: texts that the guard is trained on as well.
        calibration: texts by which the regularisation is chosen.
        harmless: harmless texts of the calibration split; at most as many are flagged as ``alarms`` says.
        alarms: the false alarms to match.
        lettering: composes the text of an item with a picture.
    """

    def __init__(
        self,
        features: Features,
        *,
        training: LabelledTexts,
        calibration: LabelledTexts,
        harmless: Sequence[str],
        alarms: FalseAlarms,
        lettering: LetteringTexts,
    ) -> None:
        self._features = features
        self._lettering = lettering
        self._regression = _fit_regression(features, training, calibration)
        scores = [self._score_text(text) for text in harmless]
        self._thresholds = choose_thresholds([risk for risk, _ in scores], [high for _, high in scores], alarms)

    def score(self, items: Sequence[Item]) -> Iterator[Score]:
        """Yield the score of each item; one without words and lettering is allowed unseen."""
        for item in items:
            text, reading_s = self._lettering.compose(item)
            if not text.strip():
                yield Score(risk=0.0, decision=Decision.ALLOWED)
                continue
            started = time.perf_counter()
            risk, high = self._score_text(text)
            seconds = time.perf_counter() - started + reading_s
            yield Score(risk=risk, decision=self._thresholds.decide(risk, high), seconds=seconds)

    def _score_text(self, text: str) -> tuple[float, float]:
        """Compute the probability of any risk, and of a level that is refused."""
        probabilities = self._regression.predict_proba(self._features.transform([text]))[0]
        by_level = dict(zip(self._regression.classes_.tolist(), probabilities.tolist(), strict=True))
        return 1 - by_level.get(0, 0.0), sum(p for level, p in by_level.items() if level >= REFUSED_LEVEL)


def _fit_regression(features: Features, training: LabelledTexts, calibration: LabelledTexts) -> Any:
    """Fit one regression for each strength of regularisation, and return the one with the smallest loss."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    rows, held_out = features.fit(training.texts), features.transform(calibration.texts)
    fitted = [LogisticRegression(C=strength, max_iter=1000).fit(rows, training.levels) for strength in STRENGTHS]
    levels = sorted(set(training.levels))
    return min(fitted, key=lambda model: log_loss(calibration.levels, model.predict_proba(held_out), labels=levels))
