import math

import pytest
import torch

from safety_core.model.head_inputs import SHORT, View, ViewScores, batches_of, pair_scores, read_output, views_of
from safety_core.model.modules.head import HeadOutput
from safety_core.scores import RiskScores

WORDS = (7, 1)


def judged(views: tuple[View, ...]) -> dict[View, ViewScores]:
    """A score that tells which view it belongs to."""
    return {
        view: ViewScores(RiskScores(types=(float(len(view.images)),), levels=(float(view.prompt is not None),)), ())
        for view in views
    }


def test_one_image_and_a_prompt_need_three_views() -> None:
    assert set(views_of((4,), WORDS)) == {View((4,), WORDS), View((4,), None), View((), WORDS)}


def test_several_images_are_judged_together_and_one_by_one() -> None:
    assert set(views_of((0, 1), WORDS)) == {
        View((0, 1), WORDS),
        View((0, 1), None),
        View((0,), WORDS),
        View((1,), WORDS),
        View((), WORDS),
    }


def test_images_without_a_prompt_and_a_prompt_without_images() -> None:
    assert set(views_of((0, 1), None)) == {View((0, 1), None), View((0,), None), View((1,), None)}
    assert views_of((), WORDS) == (View((), WORDS),)
    assert views_of((), None) == ()


def test_scores_stand_where_clients_look() -> None:
    pair = pair_scores((0, 1), WORDS, judged(views_of((0, 1), WORDS)))
    assert pair.joint == RiskScores(types=(2.0,), levels=(1.0,))
    assert pair.image == RiskScores(types=(2.0,), levels=(0.0,))
    assert pair.text == RiskScores(types=(0.0,), levels=(1.0,))
    assert pair.per_image == (RiskScores(types=(1.0,), levels=(1.0,)),) * 2


def test_surfaces_that_do_not_exist_are_none() -> None:
    alone = pair_scores((0,), None, judged(views_of((0,), None)))
    assert (alone.joint, alone.text) == (None, None)
    assert alone.per_image == (alone.image,)
    spoken = pair_scores((), WORDS, judged(views_of((), WORDS)))
    assert (spoken.joint, spoken.image, spoken.per_image) == (None, None, ())
    assert pair_scores((), None, {}).deciding == ()


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


def test_nan_survives_so_that_the_policy_can_refuse() -> None:
    output = HeadOutput(
        type_logits_BC=torch.full((1, 2), float("nan")), level_logits_BL=torch.zeros(1, 4), attention_BF=None
    )
    assert not read_output(output, grid=2, heatmap=True)[0].scores.finite


@pytest.mark.parametrize("lengths", [[5] * 9, [700, 3, 0, 40, 700, 41, 2, 90, 1], [2**power for power in range(9)]])
def test_no_small_view_is_padded_to_a_large_one(lengths: list[int]) -> None:
    prompts = [(number,) * length for number, length in enumerate(lengths)]
    views = [View(images, prompt) for prompt in (*prompts, None) for images in ((0,), ())]
    batches = batches_of(views, rows=4)
    assert sorted((view for batch in batches for view in batch), key=repr) == sorted(views, key=repr)
    for batch in batches:
        own = [len(view.prompt or ()) for view in batch]
        assert len(batch) <= 4
        assert max(own) <= max(SHORT, 2 * min(own))
    several = [View((0,) * count, (1,)) for count in (1, 3, 2, 0, 3)]
    assert [[len(view.images) for view in batch] for batch in batches_of(several, rows=9)] == [[1, 0], [2], [3, 3]]
    alike = [View(images, (number,) * 5) for number in range(9) for images in ((0,), ())]
    assert len(batches_of(alike, rows=len(alike))) == 1, "what is alike stays together"
