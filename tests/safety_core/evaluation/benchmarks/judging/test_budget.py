from safety_core.evaluation.benchmarks.judging.budget import TokenBudget, estimate_tokens


def test_a_request_that_would_exceed_the_limit_is_not_permitted() -> None:
    budget = TokenBudget(100, spent=30)
    assert budget.reserve(60)
    assert not budget.reserve(20), "the first one may still need what it reserved"
    budget.settle(60, 10)
    assert budget.spent == 40
    assert budget.reserve(60)
    assert not budget.reserve(1)


def test_without_a_limit_everything_is_permitted() -> None:
    assert TokenBudget(None).reserve(10**9)


def test_estimates_are_high() -> None:
    assert estimate_tokens("word " * 100) > 130
