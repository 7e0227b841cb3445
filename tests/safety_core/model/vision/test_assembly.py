import pytest
import torch

from safety_core.model.modules.attention import KeyValues
from safety_core.model.vision.assembly import (
    gather_features,
    gather_key_values,
    group_image_rows,
    pad_ids,
    pad_left,
    splice,
)
from safety_core.model.vision.tower import VisionFeatures


def rows(*lengths: int) -> list[torch.Tensor]:
    return [torch.full((length, 2), float(length)) for length in lengths]


def test_pictures_replace_their_placeholders() -> None:
    words = torch.arange(5.0)[:, None]
    spliced = splice(words, [1, 3], [torch.tensor([[10.0], [11.0]]), torch.tensor([[20.0]])])
    assert spliced[:, 0].tolist() == [0, 10, 11, 2, 20, 4]


def test_a_picture_without_a_placeholder_is_loud() -> None:
    with pytest.raises(ValueError, match="1 image placeholders were encoded for 2 images"):
        splice(torch.zeros(3, 1), [1], [torch.zeros(1, 1)] * 2)


def test_left_padding_counts_positions_from_the_first_real_one() -> None:
    embeds, mask, positions = pad_left(rows(3, 1))
    assert embeds[1, :, 0].tolist() == [0, 0, 1]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert positions.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_ids_are_padded_and_rows_may_be_empty() -> None:
    ids, mask = pad_ids([[5, 6], []], device=torch.device("cpu"))
    assert ids.tolist() == [[5, 6], [0, 0]]
    assert mask.tolist() == [[True, True], [False, False]]


def test_features_are_gathered_image_after_image() -> None:
    safe_BMD = torch.arange(3.0)[:, None, None].expand(3, 2, 1)
    gathered, mask = gather_features(safe_BMD, [(2, 0), (1,), ()])
    assert gathered[0, :, 0].tolist() == [2, 2, 0, 0]
    assert gathered[1, :2, 0].tolist() == [1, 1]
    assert mask.tolist() == [[True] * 4, [True, True, False, False], [False] * 4]


def key_values(images: int) -> KeyValues:
    generator = torch.Generator().manual_seed(0)
    return KeyValues(torch.randn(images, 2, 3, generator=generator), torch.randn(images, 2, 3, generator=generator))


@pytest.mark.parametrize(
    ("shown", "rows"),
    [
        ([(1,), (1,), ()], 1),
        ([(1,)], 1),
        ([(2, 0), (), (2, 0)], 1),
        ([(0,), (1,), ()], 3),
        ([(0, 1), (0,)], 2),
    ],
)
def test_rows_that_show_the_same_images_share_their_keys(shown: list[tuple[int, ...]], rows: int) -> None:
    images = key_values(3)
    gathered, mask = gather_key_values(images, shown)
    assert len(gathered.keys_BKD) == len(gathered.values_BKD) == rows
    for found, of_images in zip(gathered, images, strict=True):
        expected, expected_mask = gather_features(of_images, shown)
        assert torch.equal(mask, expected_mask)
        assert torch.equal(found.expand(len(shown), -1, -1)[mask], expected[mask])


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), 1e37])
def test_an_image_that_could_spoil_a_sum_is_kept_from_rows_that_do_not_show_it(broken: float) -> None:
    images = key_values(1)
    images.values_BKD[0, 1, 2] = broken
    gathered, mask = gather_key_values(images, [(0,), ()])
    assert gathered.values_BKD[1].isfinite().all()
    assert mask.tolist() == [[True] * 2, [False] * 2]


def test_every_image_belongs_to_one_sample() -> None:
    vision = VisionFeatures((), torch.zeros(3, 1, 1))
    assert group_image_rows(vision, [2, 0, 1], 3) == [(0, 1), (), (2,)]
    assert group_image_rows(None, [0], 1) == [()]
    with pytest.raises(ValueError, match="3 images and 2 prompts were given, the counts list 2 images of 2 prompts"):
        group_image_rows(vision, [1, 1], 2)
    with pytest.raises(ValueError, match="of 1 prompts"):
        group_image_rows(vision, [3], 2)
