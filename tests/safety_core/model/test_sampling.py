from typing import Any

import pytest
import torch

from safety_core.errors import PromptError
from safety_core.model.sampling import Sampling, choose_tokens, create_random_source

LOGITS = torch.tensor([0.0, 2.0, 1.0, -1.0])


def one(logits_W: torch.Tensor, sampling: Sampling, source: torch.Generator) -> int:
    return choose_tokens(logits_W[None], [sampling], [source])[0]


def draws(sampling: Sampling, count: int = 200) -> set[int]:
    source = create_random_source(sampling.seed)
    return {one(LOGITS, sampling, source) for _ in range(count)}


def test_zero_temperature_takes_the_most_probable() -> None:
    assert draws(Sampling(temperature=0.0, seed=0)) == {1}


def test_nucleus_leaves_the_tail_out() -> None:
    assert draws(Sampling(temperature=1.0, top_p=0.7, seed=0)) == {1, 2}
    assert draws(Sampling(temperature=1.0, top_p=0.01, seed=0)) == {1}
    assert draws(Sampling(temperature=5.0, seed=0)) == {0, 1, 2, 3}


def test_a_seed_repeats_itself_and_none_does_not() -> None:
    sampling = Sampling(temperature=1.0, seed=7)
    first, second = ([one(LOGITS, sampling, source) for _ in range(20)] for source in map(create_random_source, (7, 7)))
    assert first == second
    assert create_random_source(None).initial_seed() != create_random_source(None).initial_seed()


def test_banned_tokens_are_never_drawn() -> None:
    logits = LOGITS.clone()
    logits[1] = float("-inf")
    sampling, source = Sampling(temperature=2.0, seed=0), create_random_source(0)
    assert 1 not in {one(logits, sampling, source) for _ in range(200)}


def test_draws_follow_the_probabilities() -> None:
    source, count = create_random_source(3), 4000
    drawn = torch.bincount(
        torch.tensor([one(LOGITS, Sampling(temperature=1.5), source) for _ in range(count)]), minlength=4
    )
    expected = (LOGITS / 1.5).softmax(-1)
    assert ((drawn / count - expected).abs() < 4 * (expected * (1 - expected) / count).sqrt()).all()


def test_a_row_draws_the_same_whoever_is_beside_it() -> None:
    logits = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    options = [Sampling(temperature=0.3 * row, top_p=1.0 if row % 2 else 0.8, seed=row) for row in range(5)]
    for _ in range(20):
        together = choose_tokens(logits, options, [create_random_source(row) for row in range(5)])
        assert together == [one(logits[row], options[row], create_random_source(row)) for row in range(5)]


@pytest.mark.parametrize("temperature", [1e-30, 100.0])
def test_extreme_temperatures_draw_a_token_that_may_be_drawn(temperature: float) -> None:
    logits = torch.tensor([5.0, float("-inf"), 4.0])
    drawn = {one(logits, Sampling(temperature=temperature), create_random_source(seed)) for seed in range(50)}
    assert drawn == ({0} if temperature < 1 else {0, 2})


TINY = (5e-324, 1e-300, 1e-46, 1e-45, 1e-39, 1.2e-38, 1e-20, 1e-7)
"""Above 0, and 0 or nearly so in float32."""


@pytest.mark.parametrize("temperature", TINY)
@pytest.mark.parametrize("top_p", [*TINY, 0.5, 1 - 1e-16, 1.0])
@pytest.mark.parametrize("vocabulary", [1, 2, 1000])
def test_a_tiny_temperature_takes_the_most_probable_token_with_any_top_p(
    temperature: float, top_p: float, vocabulary: int
) -> None:
    logits = torch.randn(vocabulary, generator=torch.Generator().manual_seed(vocabulary)) * 1e4
    logits[1:2] = float("-inf")
    sampling = Sampling(temperature=temperature, top_p=top_p)
    assert one(logits, sampling, create_random_source(0)) == int(logits.argmax())


@pytest.mark.parametrize("top_p", TINY)
@pytest.mark.parametrize("temperature", [1e-5, 1e-4, 0.7, 2.0, 100.0])
def test_a_tiny_top_p_leaves_the_most_probable_token_at_any_temperature(top_p: float, temperature: float) -> None:
    logits = torch.tensor([-3e38, 1.0, float("-inf"), 3e38, 2.0])
    for seed in range(10):
        assert one(logits, Sampling(temperature=temperature, top_p=top_p), create_random_source(seed)) == 3


@pytest.mark.parametrize("temperature", [1e-5, 1e-3, 1.0, 100.0])
def test_every_accepted_value_draws_a_token_that_is_not_banned(temperature: float) -> None:
    logits = torch.full((6,), float("-inf"))
    logits[[1, 4]] = torch.tensor([-3e38, -3.1e38])
    for seed in range(20):
        assert one(logits, Sampling(temperature=temperature), create_random_source(seed)) in (1, 4)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"max_new_tokens": 0}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
    ],
)
def test_options_out_of_range_name_the_field(options: dict[str, Any], param: str) -> None:
    with pytest.raises(PromptError) as caught:
        Sampling(**options)
    assert (caught.value.code, caught.value.param) == ("out_of_range", param)
