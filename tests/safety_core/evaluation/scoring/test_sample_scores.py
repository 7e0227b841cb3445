from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from safety_core.data.samples import RiskLabel, Sample
from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.errors import SampleError
from safety_core.evaluation.runs.systems import LoadedSystem
from safety_core.evaluation.scoring.sample_scores import GuardScorer
from safety_core.evaluation.suites.suite import Suite
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.scores import RiskScores


def make_sample(text: str, *images: Path) -> Sample:
    turns = (Turn(role="user", text=text),) if text else ()
    return Sample(id="x", images=images, conversation=turns, label=RiskLabel(type=6, level=0), file="d.jsonl", line=3)


@pytest.fixture
def scorer(make_row: Callable[..., LoadedSystem]) -> GuardScorer:
    row = make_row()
    return GuardScorer(Guard(row.model, row.policy))


def test_scores_are_those_that_the_guard_decides_by(
    scorer: GuardScorer, make_row: Callable[..., LoadedSystem], varied_suite: Suite
) -> None:
    samples = [pair.sample for pair in varied_suite.pairs][:6]
    row = make_row()
    guard = Guard(row.model, row.policy)
    limits, fill = guard.info.limit_images(ImageLimits()), guard.info.pad_colour
    for sample, scores in zip(samples, scorer.score(samples), strict=True):
        images = tuple(decode_image(image.read_bytes(), limits=limits, fill=fill) for image in sample.images)
        assessment = guard.assess(GuardRequest(images=images, turns=sample.turns)).assessment
        assert assessment is not None
        assert isinstance(scores, RiskScores)
        assert scores.types == pytest.approx(tuple(assessment.type_scores.values()), abs=1e-4)
        assert scores.levels == pytest.approx(tuple(assessment.level_scores.values()), abs=1e-4)


def test_transparent_images_are_scored_as_a_server_does(scorer: GuardScorer, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 90)).save(tmp_path / "clear.png")
    (scores,) = scorer.score([make_sample("what is it?", tmp_path / "clear.png")])
    assert isinstance(scores, RiskScores)


def test_what_cannot_be_scored_has_no_scores_or_an_error(scorer: GuardScorer, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    samples = [
        make_sample("what?", tmp_path / "broken.png"),
        make_sample("what?", tmp_path / "gone.png"),
        make_sample("word " * 20000),
        make_sample("hello"),
    ]
    broken, gone, long, sound = scorer.score(samples)
    assert isinstance(broken, SampleError)
    assert str(broken).startswith("d.jsonl:3: image: ")
    assert isinstance(gone, SampleError)
    assert long is None
    assert isinstance(sound, RiskScores)
    assert scorer.score([]) == []


def test_a_checkpoint_is_loaded_to_judge_only(tiny_checkpoint: Path) -> None:
    (scores,) = GuardScorer.load(tiny_checkpoint, device="cpu").score([make_sample("hello")])
    assert isinstance(scores, RiskScores)
