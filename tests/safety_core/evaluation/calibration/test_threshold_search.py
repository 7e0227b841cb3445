import random
from itertools import product

import pytest

from safety_core.evaluation.calibration.threshold_search import (
    NEVER,
    Cut,
    allocate_budget,
    find_cuts,
    place_above,
    place_below,
    place_between,
)


def test_separable_scores_part_half_way_in_log_odds() -> None:
    cuts = find_cuts([0.01, 0.1], [0.9, 0.99], fallback=0.3)
    perfect = [cut for cut in cuts if not cut.false_alarms and not cut.misses]
    assert [cut.threshold for cut in perfect] == [pytest.approx(0.5)]


def test_the_frontier_trades_misses_for_false_alarms() -> None:
    cuts = find_cuts([0.1, 0.6], [0.4, 0.8], fallback=0.5)
    assert {(cut.false_alarms, cut.misses) for cut in cuts} == {(0, 1), (1, 0), (2, 0)}


def test_where_the_data_do_not_say_the_fallback_stands() -> None:
    assert find_cuts([], [], 0.4) == [Cut(0, 0, 0.4)]
    assert Cut(0, 0, 0.4) in find_cuts([], [0.9, 0.95], 0.4)
    assert find_cuts([0.1], [], 0.4)[0] == Cut(0, 0, 0.4)
    quiet = min(find_cuts([0.1, 0.6], [], 0.4), key=lambda cut: cut.false_alarms)
    assert (quiet.false_alarms, quiet.threshold > 0.6) == (0, True)


def test_every_score_can_be_parted_from_its_neighbour() -> None:
    for low, high in ((0.2, 0.8), (0.0, 1e-12), (1 - 1e-12, 1.0), (1.0, 1.0000001)):
        assert low < place_between(low, high) <= high
    assert place_below(0.2, fallback=0.5) < 0.2
    assert place_below(0.0, fallback=0.5) == 0.0
    assert 0.7 < place_above(0.7, fallback=0.5) < 1
    assert place_above(1.0, fallback=0.5) == NEVER


def test_allocation_is_the_best_there_is() -> None:
    rng = random.Random(0)
    for _ in range(50):
        frontiers = {
            name: find_cuts(
                [rng.random() for _ in range(rng.randrange(5))], [rng.random() for _ in range(rng.randrange(4))], 0.5
            )
            for name in "abc"
        }
        budget, exchange = rng.randrange(6), rng.choice([0.0, 0.2, 1.0])
        chosen = allocate_budget(frontiers, budget, exchange)

        def price(cuts: tuple[Cut, ...], exchange: float = exchange) -> float:
            return sum(cut.misses + exchange * cut.false_alarms for cut in cuts)

        affordable = [c for c in product(*frontiers.values()) if sum(cut.false_alarms for cut in c) <= budget]
        assert sum(cut.false_alarms for cut in chosen.values()) <= budget
        assert price(tuple(chosen.values())) == pytest.approx(min(price(cuts) for cuts in affordable))


def test_of_two_equal_plans_the_one_with_fewer_false_alarms_wins() -> None:
    chosen = allocate_budget({"a": [Cut(3, 0, 0.1), Cut(0, 0, 0.9)]}, budget=5, exchange=0.0)
    assert chosen["a"].threshold == 0.9
