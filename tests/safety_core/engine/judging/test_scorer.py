"""Scoring on a real (tiny) model: each view once, in slices as at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from safety_core.engine.guard import Guard
from safety_core.engine.judging import scorer as scoring
from safety_core.engine.judging.batch_retry import run_to_end
from safety_core.engine.judging.scored_decision import JudgedInput
from safety_core.engine.work import JudgedRequest, Work
from safety_core.errors import ExhaustedError
from safety_core.inputs.head_texts import TextViews
from safety_core.model.head_inputs import HeadInput
from safety_core.model.prompt_reader import get_decoder
from safety_core.model.vision.tower import VisionFeatures
from safety_core.policy.policy import NO_VERDICT
from tests.helpers.engine.guards import change_limits
from tests.helpers.engine.model_calls import count_model_calls
from tests.helpers.engine.readers import FakeReader
from tests.helpers.engine.requests import create_chat_request, create_guard_request, create_mixed_requests
from tests.helpers.images.pictures import create_picture, create_transparent_picture


def test_pictures_and_sentences_without_end_are_judged_once_each(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence is judged with every view of every picture, but never twice, and marks nobody sees make no others."""
    clear = [create_transparent_picture(), replace(create_transparent_picture(), sha256="another")]
    sentences = " ".join(f"It is\u200b number {number}." for number in range(20))
    views: list[HeadInput] = []
    score = guard.model.score_inputs

    def spied(safe: Any, wanted: Sequence[HeadInput], **options: Any) -> Any:
        views.extend(wanted)
        return score(safe, wanted, **options)

    monkeypatch.setattr(guard.model, "score_inputs", spied)
    prepared = guard.prepare(create_guard_request(*clear, text=sentences))
    assert len(prepared.text_variants) == 2 + 20
    guard.judge([prepared])
    assert len(views) == len(set(views))
    # For each reading four views of pictures, both pictures together, the text alone; once the pictures alone.
    assert len(views) == 22 * (4 + 1 + 1) + 1


@pytest.mark.parametrize("without_images", [False, True])
def test_words_decide_without_the_picture_beside_them_where_the_checkpoint_says_so(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, without_images: bool
) -> None:
    monkeypatch.setattr(guard.model.prompts, "text_views", TextViews(without_images=without_images))
    assessment = guard.assess(create_guard_request(create_picture(), text="How do I do it?"))
    assert assessment.variant_scores
    for pair in assessment.variant_scores:
        assert (pair.text in pair.deciding) is without_images


@pytest.mark.parametrize("images_alone", [False, True])
def test_each_image_decides_without_words_where_the_checkpoint_says_so(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, images_alone: bool
) -> None:
    monkeypatch.setattr(guard.model.prompts, "text_views", TextViews(images_alone=images_alone))
    pictures = create_picture("red"), create_picture("green")
    shown = [guard.assess(create_guard_request(picture)).variant_scores[0].image for picture in pictures]
    assessment = guard.assess(create_guard_request(*pictures, text="How do I do it?"))
    assert assessment.variant_scores
    for pair in assessment.variant_scores:
        assert len(pair.images_alone) == 2 * images_alone
        for alone, scores in zip(pair.images_alone, shown, strict=False):
            assert scores is not None
            assert alone in pair.deciding
            assert alone.levels == pytest.approx(scores.levels, abs=1e-5)


@dataclass
class Slow:
    """A pace at which every pass takes as little as possible."""

    views: int = 1
    tokens: int = 1

    def record_views(self, views: int, seconds: float) -> None: ...

    def record_tokens(self, tokens: int, seconds: float) -> None: ...


def test_pauses_do_not_count_as_duration_of_a_pass(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    clock = [0.0]
    monkeypatch.setattr(scoring, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    pace = Slow()
    monkeypatch.setattr(Slow, "record_views", lambda self, views, seconds: seen.append(seconds))
    guard._pace = pace  # type: ignore[assignment]
    for _ in guard.judge_in_slices(
        [guard.prepare(create_guard_request(create_picture("red"), create_picture("green")))]
    ):
        clock[0] += 1.0
    assert seen == [0.0, 0.0]


@pytest.mark.parametrize("texts", [(), ("Mind the gap", "1. Look left. 2. Look right.")], ids=["plain", "lettering"])
@pytest.mark.parametrize("pace", [Slow(), Slow(views=2, tokens=400), Slow(views=100, tokens=10**9)])
@pytest.mark.parametrize("name", ["guard", "reading_guard"])
def test_in_slices_the_same_is_judged(
    request: pytest.FixtureRequest, name: str, pace: Slow, texts: tuple[str, ...]
) -> None:
    guard: Guard = request.getfixturevalue(name)
    guard = Guard(guard.model, guard.policy, reader=FakeReader(texts=texts) if texts else None)
    guard._pace = pace  # type: ignore[assignment]
    sentences = "".join(f"It is \uff4eumber {number}. " for number in range(9))
    requests = [
        create_guard_request(
            create_picture("red"),
            create_transparent_picture("blue"),
            create_transparent_picture("white"),
            text=sentences,
        ),
        create_guard_request(create_picture("red"), create_picture("green"), text=None, heatmap=True),
        create_guard_request(create_transparent_picture("red"), text="Look.", heatmap=True),
        create_guard_request(text=sentences),
        create_chat_request(create_transparent_picture(), create_picture(), text="What is it?"),
    ]
    for batch in ([one] for one in requests), [requests]:
        for together in batch:
            prepared = [guard.prepare(one) for one in together]
            work, slices = guard.judge_in_slices(prepared), []
            while True:
                try:
                    slices.append(next(work))
                except StopIteration as end:
                    found = end.value
                    break
            expected = guard.judge(prepared)
            for one, other in zip(found, expected, strict=True):
                assert_same(one, other)
            wanted = sum((one.work for one in prepared if one.work is not None), Work())
            if len(together) == 1 and not together[0].heatmap:  # whose views are judged once more
                assert sum(part.tokens for part in slices) == wanted.tokens
            assert max(part.views for part in slices) <= pace.views


def assert_same(one: JudgedRequest | Exception, other: JudgedRequest | Exception) -> None:
    """Two verdicts agree in everything but rounding."""
    assert isinstance(one, JudgedInput)
    assert isinstance(other, JudgedInput)
    assert (one.turns, one.answerable, one.verdict.images_scanned) == (
        other.turns,
        other.answerable,
        other.verdict.images_scanned,
    )
    assert one.verdict.verdict.decision == other.verdict.verdict.decision
    assert one.verdict.variant_scores is not None
    for mine, theirs in zip(one.verdict.variant_scores, other.verdict.variant_scores, strict=True):
        pairs = [(mine.joint, theirs.joint), (mine.image, theirs.image), (mine.text, theirs.text)]
        pairs += zip(mine.per_image, theirs.per_image, strict=True)
        pairs += zip(mine.lettering, theirs.lettering, strict=True)
        for first, second in pairs:
            assert (first is None) == (second is None)
            if first is not None and second is not None:
                assert first.types == pytest.approx(second.types, abs=1e-6)
                assert first.levels == pytest.approx(second.levels, abs=1e-6)
        assert len(mine.heatmaps) == len(theirs.heatmaps)
        torch.testing.assert_close(torch.tensor(mine.heatmaps), torch.tensor(theirs.heatmaps))
    if one.images is not None and other.images is not None:
        torch.testing.assert_close(one.images.projected_BPD, other.images.projected_BPD)
    else:
        assert one.images is other.images


def test_each_text_is_read_once_however_many_views_share_it(reading_guard: Guard) -> None:
    model = reading_guard.model
    texts: list[int] = []
    layers: Any = get_decoder(model.backbone).layers
    hook = layers[0].register_forward_pre_hook(lambda _, args: texts.append(len(args[0])))
    pictures = [create_transparent_picture(colour) for colour in ("red", "blue", "white")]
    prepared = reading_guard.prepare(create_chat_request(*pictures, text="Is it red? Is it blue?"))
    with count_model_calls(reading_guard) as calls:
        (judged,) = reading_guard.judge([prepared])
        slices = run_to_end(reading_guard.judge_in_slices([prepared]))
    hook.remove()
    assert isinstance(judged, JudgedInput)
    assert_same(judged, slices[0])
    assert sum(texts) == 2 * len(prepared.text_variants)
    assert calls.llm_positions == [], "the language model as a whole does not run for a verdict"


def test_what_fails_in_slices_is_told_as_it_is_without(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = guard.model.encode_images
    failures: list[Exception] = [torch.OutOfMemoryError("CUDA out of memory")]

    def scarce(pixels: torch.Tensor) -> VisionFeatures:
        if failures:
            raise failures.pop()
        return encode(pixels)

    monkeypatch.setattr(guard.model, "encode_images", scarce)
    prepared = guard.prepare(create_guard_request(create_picture()))
    (judged,) = run_to_end(guard.judge_in_slices([prepared]))
    assert isinstance(judged, JudgedRequest)
    assert judged.verdict.assessment is not None, "once memory is there again"
    failures += [torch.OutOfMemoryError("CUDA out of memory")] * 2
    assert isinstance(run_to_end(guard.judge_in_slices([prepared]))[0], ExhaustedError)
    failures.append(RuntimeError("SECRET"))
    (refused,) = run_to_end(guard.judge_in_slices([prepared]))
    assert isinstance(refused, JudgedRequest)
    assert refused.verdict.verdict.reason == NO_VERDICT
    monkeypatch.setattr(guard.model, "encode_images", lambda pixels: encode(pixels)[0:0])
    (lost,) = run_to_end(guard.judge_in_slices([prepared]))
    assert isinstance(lost, JudgedRequest)
    assert lost.verdict.verdict.reason == NO_VERDICT


def test_a_batch_goes_through_the_tower_once_for_each_distinct_view(guard: Guard) -> None:
    guard = change_limits(guard, max_batch=3)
    prepared = [guard.prepare(request) for request in create_mixed_requests()]
    with count_model_calls(guard) as calls:
        guard.judge(prepared)
    # red, blue, green, white, and the two views of a transparent red and of a transparent blue drawing
    assert calls.pictures == [3, 3, 2]
    assert calls.llm_positions == []


def test_features_that_somebody_has_stand_in_for_the_tower(guard: Guard) -> None:
    request = create_guard_request(create_picture("red"), create_picture("blue"))
    views = [view for image in request.images for view in image.views]
    vision = guard.model.encode_images(guard.model.preprocess(views))
    with count_model_calls(guard) as calls:
        seen, words = guard.score(
            [guard.prepare_encoded(request.turns, vision), guard.prepare_encoded(request.turns, None)]
        )
        (shown,) = guard.score([guard.prepare(request)])
    assert calls.pictures == [2]
    for ours, theirs in zip(seen.pairs[0].deciding, shown.pairs[0].deciding, strict=True):
        assert ours.types == pytest.approx(theirs.types)
        assert ours.levels == pytest.approx(theirs.levels)
    assert words.pairs[0].text == seen.pairs[0].text
