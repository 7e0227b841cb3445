from random import Random

import pytest

from safety_core.small.rendering.job import Job


def create_job(seed: int = 0, *, growth: float = 1.0, test: bool = False) -> Job:
    """A job for a short text."""
    return Job(text="Open", rng=Random(seed), test=test, growth=growth)


@pytest.mark.parametrize("growth", [1.0, 1.8, 4.0])
@pytest.mark.parametrize("mounted", [False, True])
def test_sizes_stay_within_bounds(growth: float, mounted: bool) -> None:
    for seed in range(30):
        job = create_job(seed, growth=growth)
        size = job.choose_size(0.5, 1.0, 3.2, mounted=mounted)
        around = job.surround(size) if mounted else size
        assert min(size) >= 224
        assert max(around) <= 1280


def test_large_pictures_have_larger_letters() -> None:
    small, large = create_job(), create_job(growth=4.0)
    small.choose_size(1.0)
    large.choose_size(1.0)
    style = small.choose_style("sans")
    assert small.find_smallest(style) < large.find_smallest(style)


def test_the_lowest_capital_is_remembered() -> None:
    job = create_job()
    style = job.choose_style("sans")
    job.fit("Open", style, 400, 400, largest=90)
    tall = job.lowest_capital
    job.fit("Open all day", style, 160, 30, largest=90)
    assert 10 < job.lowest_capital < tall < 90


def test_faces_are_those_of_the_split() -> None:
    assert all(create_job(seed, test=True).choose_style("serif", "mono").face.test for seed in range(10))
    assert not any(create_job(seed).choose_style("serif", "mono").face.test for seed in range(10))
