from random import Random

from safety_core.small.rendering.colours import compute_contrast, mix_colours, pick_ground, pick_ink


def test_lettering_contrasts_with_its_ground() -> None:
    rng = Random(0)
    for _ in range(300):
        ground = pick_ground(rng)
        assert compute_contrast(pick_ink(rng, ground), ground) >= 3.0


def test_contrast_is_that_of_the_standard() -> None:
    assert round(compute_contrast((0, 0, 0), (255, 255, 255)), 1) == 21.0
    assert compute_contrast((90, 90, 90), (90, 90, 90)) == 1.0


def test_mixing_takes_the_share_of_the_second() -> None:
    assert mix_colours((0, 0, 0), (200, 100, 50), 0.5) == (100, 50, 25)
