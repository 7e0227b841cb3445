from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.data.samples import Sample
from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.errors import SampleError
from safety_core.evaluation.runs.systems import LoadedSystem
from safety_core.evaluation.scoring.guard_scores import VariantScores, apply_policy, encode_chunks, score_chunk
from safety_core.evaluation.suites.suite import Suite
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.reading import Problem
from safety_core.policy.policy import NO_VERDICT, Policy, decide_worst
from safety_core.scores import PairScores, RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.engine.readers import FakeReader

POLICY = Policy.create_default(DEFAULT_TAXONOMY)


@pytest.fixture
def guard(make_row: Callable[..., LoadedSystem]) -> Guard:
    row = make_row()
    return Guard(row.model, row.policy)


@pytest.fixture
def samples(varied_suite: Suite) -> list[Sample]:
    return [pair.sample for pair in varied_suite.pairs]


def score(guard: Guard, samples: list[Sample], *, size: int, batch_size: int) -> list[VariantScores]:
    chunks = encode_chunks(guard.model, samples, size)
    return [scores for chunk in chunks for scores in score_chunk(guard, chunk, batch_size)]


def make_scores(worst: float) -> PairScores:
    """Scores of a text that is at the worst level with some probability, and harmless otherwise."""
    levels = (1 - worst, 0.0, 0.0, worst)
    return PairScores(joint=None, per_image=(), image=None, text=RiskScores(types=(1 / 7,) * 7, levels=levels))


def test_chunks_hold_all_samples_in_order_and_each_image_once(guard: Guard, samples: list[Sample]) -> None:
    chunks = list(encode_chunks(guard.model, samples, 10))
    assert [len(chunk.samples) for chunk in chunks] == [10, 10, 4]
    assert [sample for chunk in chunks for sample in chunk.samples] == samples
    for chunk in chunks:
        assert chunk.vision is not None
        assert len(chunk.vision) == len({path for sample in chunk.samples for path in sample.images})
        for index, sample in enumerate(chunk.samples):
            selected = chunk.select_images(index)
            assert (None if selected is None else len(selected)) == (len(sample.images) or None)


def test_a_chunk_without_images_has_no_features(guard: Guard, samples: list[Sample]) -> None:
    (chunk,) = encode_chunks(guard.model, [sample for sample in samples if not sample.images], 10)
    assert chunk.vision is None
    assert chunk.select_images(0) is None
    assert all(scores.pairs for scores in score_chunk(guard, chunk, 8))


def test_lettering_is_scored_as_in_serving(guard: Guard, samples: list[Sample]) -> None:
    reader = FakeReader(texts=["Mind the gap"])
    serving = Guard(guard.model, guard.policy, reader=reader)
    (chunk,) = encode_chunks(guard.model, samples, len(samples), reader=BoundedReader(reader))
    for sample, scores in zip(samples, score_chunk(guard, chunk, 8), strict=True):
        images = tuple(decode_image(path.read_bytes()) for path in sample.images)
        served = serving.assess(GuardRequest(images=images, turns=sample.turns))
        assert served.pair is not None
        assert len(scores.pairs[0].lettering) == len(served.pair.lettering)
        assert bool(scores.pairs[0].lettering) == bool(images)
        decided = apply_policy(guard.policy, DEFAULT_TAXONOMY, scores)
        assert decided is not None
        assert decided.verdict.decision is served.verdict.decision


def test_a_sample_whose_lettering_cannot_be_read_is_refused_without_a_verdict(
    guard: Guard, samples: list[Sample]
) -> None:
    reader = BoundedReader(FakeReader(problem=Problem.BOXES))
    (chunk,) = encode_chunks(guard.model, samples, len(samples), reader=reader)
    for sample, scores in zip(samples, score_chunk(guard, chunk, 8), strict=True):
        decided = apply_policy(guard.policy, DEFAULT_TAXONOMY, scores)
        assert decided is not None
        assert (decided.scores is None) == bool(sample.images)
        assert (decided.verdict.reason == NO_VERDICT) == bool(sample.images)


def test_an_image_that_cannot_be_read_is_an_error(guard: Guard, samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="the image cannot be read"):
        list(encode_chunks(guard.model, [replace(samples[0], images=(tmp_path / "gone.png",))], 10))


def test_scores_are_those_of_serving_whatever_the_sizes_of_chunks_and_batches(
    guard: Guard, samples: list[Sample]
) -> None:
    large, small = score(guard, samples, size=24, batch_size=24), score(guard, samples, size=5, batch_size=2)
    for sample, one, other in zip(samples, large, small, strict=True):
        images = tuple(decode_image(path.read_bytes()) for path in sample.images)
        served = guard.assess(GuardRequest(images=images, turns=sample.turns)).verdict
        assert one.turns == other.turns
        for scores in (one, other):
            judged = apply_policy(guard.policy, guard.model.taxonomy, scores)
            assert judged is not None
            assert judged.verdict.unsafe_probability == pytest.approx(served.unsafe_probability, abs=1e-5)
            assert judged.verdict.decision is served.decision


def test_disguised_words_are_scored_as_sent_and_as_read(guard: Guard, samples: list[Sample]) -> None:
    disguised = next(sample for sample in samples if "\u200b" in sample.turns[-1].text)
    (scores,) = score(guard, [disguised], size=1, batch_size=1)
    assert len(scores.turns) == len(scores.pairs) == 2
    assert {turns[-1].text for turns in scores.turns} == {"read the te\u200bxt", "read the text"}


def test_a_prompt_that_is_too_long_has_no_scores_and_takes_nobody_with_it(guard: Guard, samples: list[Sample]) -> None:
    long = replace(samples[0], conversation=(Turn(role="user", text="knife " * 600),))
    first, scores, last = score(guard, [samples[0], long, samples[1]], size=3, batch_size=2)
    assert scores == VariantScores(turns=(), pairs=())
    assert apply_policy(guard.policy, guard.model.taxonomy, scores) is None
    assert first.pairs[0].deciding[0].levels == pytest.approx(
        score(guard, samples[:1], size=1, batch_size=1)[0].pairs[0].deciding[0].levels, abs=1e-5
    )
    assert last.turns[-1] == samples[1].turns


def test_the_worst_variant_decides() -> None:
    turns = tuple((Turn(role="user", text=text),) for text in ("mild", "bad", "worse"))
    pairs = tuple(make_scores(worst) for worst in (0.1, 0.9, 0.6))
    judged = apply_policy(POLICY, DEFAULT_TAXONOMY, VariantScores(turns=turns, pairs=pairs))
    assert judged is not None
    assert judged.turns == turns[1]
    assert judged.verdict == decide_worst(POLICY, DEFAULT_TAXONOMY, pairs[1])[0]
