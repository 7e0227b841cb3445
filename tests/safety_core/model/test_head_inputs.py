import math

import numpy as np
import pytest
import torch

from safety_core.model.head_inputs import (
    SHORT_PROMPT,
    HeadInput,
    HeadScores,
    build_pair_scores,
    group_by_size,
    list_head_inputs,
    read_output,
)
from safety_core.model.modules.head import HeadOutput
from safety_core.score_calibration import ScoreCalibration
from safety_core.scores import RiskScores

WORDS = (7, 1)


def judged(views: tuple[HeadInput, ...]) -> dict[HeadInput, HeadScores]:
    """A score that tells which view it belongs to."""
    return {
        view: HeadScores(RiskScores(types=(float(len(view.images)),), levels=(float(view.prompt is not None),)), ())
        for view in views
    }


def test_one_image_and_a_prompt_need_three_views() -> None:
    assert set(list_head_inputs((4,), WORDS)) == {HeadInput((4,), WORDS), HeadInput((4,), None), HeadInput((), WORDS)}


def test_several_images_are_judged_together_and_one_by_one() -> None:
    assert set(list_head_inputs((0, 1), WORDS)) == {
        HeadInput((0, 1), WORDS),
        HeadInput((0, 1), None),
        HeadInput((0,), WORDS),
        HeadInput((1,), WORDS),
        HeadInput((), WORDS),
    }


def test_images_without_a_prompt_and_a_prompt_without_images() -> None:
    assert set(list_head_inputs((0, 1), None)) == {
        HeadInput((0, 1), None),
        HeadInput((0,), None),
        HeadInput((1,), None),
    }
    assert list_head_inputs((), WORDS) == (HeadInput((), WORDS),)
    assert list_head_inputs((), None) == ()


def test_scores_stand_where_clients_look() -> None:
    pair = build_pair_scores((0, 1), WORDS, judged(list_head_inputs((0, 1), WORDS)))
    assert pair.joint == RiskScores(types=(2.0,), levels=(1.0,))
    assert pair.image == RiskScores(types=(2.0,), levels=(0.0,))
    assert pair.text == RiskScores(types=(0.0,), levels=(1.0,))
    assert pair.per_image == (RiskScores(types=(1.0,), levels=(1.0,)),) * 2


def test_each_image_without_the_prompt_is_judged_where_asked_for() -> None:
    views = list_head_inputs((0, 1), WORDS, images_alone=True)
    assert set(views) == {*list_head_inputs((0, 1), WORDS), HeadInput((0,), None), HeadInput((1,), None)}
    pair = build_pair_scores((0, 1), WORDS, judged(views), images_alone=True)
    assert pair.images_alone == (RiskScores(types=(1.0,), levels=(0.0,)),) * 2
    alone = build_pair_scores((0,), None, judged(list_head_inputs((0,), None, images_alone=True)), images_alone=True)
    assert alone.images_alone == ()  # without words, they decide anyway


def test_surfaces_that_do_not_exist_are_none() -> None:
    alone = build_pair_scores((0,), None, judged(list_head_inputs((0,), None)))
    assert (alone.joint, alone.text) == (None, None)
    assert alone.per_image == (alone.image,)
    spoken = build_pair_scores((), WORDS, judged(list_head_inputs((), WORDS)))
    assert (spoken.joint, spoken.image, spoken.per_image) == (None, None, ())
    assert build_pair_scores((), None, {}).deciding == ()


def test_logits_become_probabilities_and_maps() -> None:
    output = HeadOutput(
        type_logits_BC=torch.tensor([[0.0, math.log(3.0)]]),
        level_logits_BL=torch.zeros(1, 4),
        attention_BF=torch.arange(8.0)[None],
    )
    (view,) = read_output(output, grid=2, heatmap=True)
    torch.testing.assert_close(torch.tensor(view.scores.types), torch.tensor([0.25, 0.75]))
    assert view.heatmap == ((0.0, 1.0), (2.0, 3.0))
    assert read_output(output, grid=2, heatmap=False)[0].heatmap == ()


def test_scores_are_recalibrated_where_they_are_made() -> None:
    output = HeadOutput(
        type_logits_BC=torch.tensor([[0.0, 2.0 * math.log(3.0)]]),
        level_logits_BL=torch.tensor([[0.3, -1.0, 2.0, 0.1]]),
        attention_BF=None,
    )
    calibration = ScoreCalibration(type_temperature=2.0, risk_slope=0.5, risk_offsets=(0.2, 0.0, -0.1))
    (raw,), (view,) = (
        read_output(output, grid=2, heatmap=False),
        read_output(output, grid=2, heatmap=False, calibration=calibration),
    )
    torch.testing.assert_close(torch.tensor(view.scores.types), torch.tensor([0.25, 0.75]))
    # Evaluation and calibration apply the same function to raw scores, with the same result.
    levels = calibration.calibrate_levels(np.array([raw.scores.levels]))
    assert view.scores.levels == tuple(levels[0].tolist())
    assert read_output(output, grid=2, heatmap=False, calibration=ScoreCalibration()) == [raw]


@pytest.mark.parametrize("calibration", [None, ScoreCalibration(level_temperature=2.0, risk_slope=0.5)])
def test_nan_survives_so_that_the_policy_can_refuse(calibration: ScoreCalibration | None) -> None:
    output = HeadOutput(
        type_logits_BC=torch.full((1, 2), float("nan")), level_logits_BL=torch.zeros(1, 4), attention_BF=None
    )
    assert not read_output(output, grid=2, heatmap=True, calibration=calibration)[0].scores.finite
    levels = HeadOutput(
        type_logits_BC=torch.zeros(1, 2), level_logits_BL=torch.tensor([[0.0, float("inf"), 0.0]]), attention_BF=None
    )
    assert not read_output(levels, grid=2, heatmap=True, calibration=calibration)[0].scores.finite


@pytest.mark.parametrize("lengths", [[5] * 9, [700, 3, 0, 40, 700, 41, 2, 90, 1], [2**power for power in range(9)]])
def test_no_small_view_is_padded_to_a_large_one(lengths: list[int]) -> None:
    prompts = [(number,) * length for number, length in enumerate(lengths)]
    views = [HeadInput(images, prompt) for prompt in (*prompts, None) for images in ((0,), ())]
    batches = group_by_size(views, rows=4)
    assert sorted((view for batch in batches for view in batch), key=repr) == sorted(views, key=repr)
    for batch in batches:
        own = [len(view.prompt or ()) for view in batch]
        assert len(batch) <= 4
        assert max(own) <= max(SHORT_PROMPT, 2 * min(own))
    several = [HeadInput((0,) * count, (1,)) for count in (1, 3, 2, 0, 3)]
    assert [[len(view.images) for view in batch] for batch in group_by_size(several, rows=9)] == [[1, 0], [2], [3, 3]]
    alike = [HeadInput(images, (number,) * 5) for number in range(9) for images in ((0,), ())]
    assert len(group_by_size(alike, rows=len(alike))) == 1, "what is alike stays together"
