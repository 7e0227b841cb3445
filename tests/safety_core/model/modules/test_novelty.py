"""Novelty: distances to familiar inputs, and their ranks."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from safety_core.model.modules.novelty import QUANTILES, FamiliarInputs, NoveltyDetector, average_images, average_texts


def create_inputs(width: int = 4, *, directions: int = 2, lengths: tuple[int, ...] = (1,)) -> FamiliarInputs:
    """Familiar inputs around 1; the variance along the first axes is large, and later groups lie further outside."""
    return FamiliarInputs(
        mean_D=torch.ones(width),
        directions_DR=torch.eye(width)[:, :directions],
        variance_R=torch.tensor([4.0] * directions),
        other_variance=1.0,
        lengths_G=lengths,
        distances_GQ=np.stack([(group + 1) * np.linspace(0, 10, len(QUANTILES)) for group in range(len(lengths))]),
        tail_G=np.ones(len(lengths)),
    )


def test_the_distance_is_mahalanobis() -> None:
    offset_BD = torch.tensor([[2.0, 0, 0, 0], [0, 0, 2.0, 0], [2.0, 2.0, 0, 1.0]])
    distances = create_inputs().compute_distances(1 + offset_BD)
    torch.testing.assert_close(distances, torch.tensor([1.0, 2.0, math.sqrt(3)]))


def test_the_rank_grows_from_0_to_1_without_a_jump() -> None:
    inputs = create_inputs()
    distances = np.linspace(0, 30, 400)
    ranks = [inputs.rank(distance, 1) for distance in distances]
    assert ranks[0] == 0
    assert all(before < after for before, after in pairwise(ranks))
    assert max(np.diff(ranks)) < 0.02
    assert inputs.rank(10.0, 1) == pytest.approx(QUANTILES[-1])
    assert 0.99 < inputs.rank(11.0, 1) < ranks[-1] < 1


def test_long_texts_are_ranked_among_long_ones() -> None:
    inputs = create_inputs(lengths=(5, 20))
    assert inputs.rank(5.0, 3) == inputs.rank(5.0, 5)
    assert inputs.rank(5.0, 6) == inputs.rank(5.0, 20) == inputs.rank(5.0, 900)
    assert inputs.rank(5.0, 6) < inputs.rank(5.0, 5)


def test_what_is_not_a_number_is_as_novel_as_can_be() -> None:
    assert create_inputs().rank(math.nan, 1) == 1.0
    assert create_inputs().rank(math.inf, 1) == 1.0


def test_texts_and_images_are_averaged_over_their_positions() -> None:
    states = [torch.arange(8.0).reshape(2, 4), torch.ones(3, 4)]
    torch.testing.assert_close(average_texts(states), torch.tensor([[2.0, 3, 4, 5], [1, 1, 1, 1]]))
    layers = [torch.zeros(2, 9, 4), torch.arange(72.0).reshape(2, 9, 4)]
    torch.testing.assert_close(average_images(layers), layers[1].mean(1))
    detector = NoveltyDetector(texts=create_inputs(), images=create_inputs())
    assert detector.measure_texts([]) == []
    assert detector.measure_texts([torch.ones(3, 4)]) == [0.0]
    assert len(detector.measure_images(layers)) == 2
