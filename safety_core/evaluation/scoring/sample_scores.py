"""Scores of single samples, as the guard of a server reaches them: all views of images, all variants of the text.

Knows nothing of suites, labels or replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safety_core.data.sample_images import list_image_refs
from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.engine.work import JudgedRequest, PreparedRequest
from safety_core.errors import ImageError, InputError, SampleError
from safety_core.evaluation.scoring.picture_readings import UNHURRIED
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.scores import RiskScores


class GuardScorer:
    """Scores samples with a guard.

    Args:
        guard: the guard; it need not answer.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._limits = guard.info.limit_images(ImageLimits())

    @classmethod
    def load(cls, checkpoint: Path, *, device: str = "auto") -> GuardScorer:
        """Load a checkpoint's guard, without what only replies need; raises as :func:`load_guard`."""
        return cls(load_guard(checkpoint, device=device, limits=GuardLimits(reading=UNHURRIED), judge_only=True))

    def score(self, samples: Sequence[Sample]) -> list[RiskScores | SampleError | None]:
        """Return the scores that decide about each sample; None without a verdict, or an image's error."""
        prepared = [self._prepare(sample) for sample in samples]
        ready = [one for one in prepared if isinstance(one, PreparedRequest)]
        judged = iter(self._guard.judge(ready) if ready else ())
        return [_extract_scores(next(judged)) if isinstance(one, PreparedRequest) else one for one in prepared]

    def _prepare(self, sample: Sample) -> PreparedRequest | SampleError | None:
        """Prepare a sample for the model; None if its text is too long for it."""
        images = []
        for ref in list_image_refs([sample]):
            try:
                images.append(decode_image(ref.read(), limits=self._limits, fill=self._guard.info.pad_colour))
            except ImageError as exc:
                return sample.create_error(exc.message, ref.field)
            except SampleError as error:
                return error
        try:
            return self._guard.prepare(GuardRequest(images=tuple(images), turns=sample.turns))
        except InputError:
            return None


def _extract_scores(judged: JudgedRequest | Exception) -> RiskScores | None:
    if isinstance(judged, Exception):
        raise judged
    assessment = judged.verdict.assessment
    if assessment is None:
        return None
    return RiskScores(types=tuple(assessment.type_scores.values()), levels=tuple(assessment.level_scores.values()))
