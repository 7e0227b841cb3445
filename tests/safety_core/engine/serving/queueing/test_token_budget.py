"""How many positions accepted chats may reserve, together and per client."""

from contextlib import ExitStack

import pytest

from safety_core.engine.serving.queueing.token_budget import TokenBudget
from safety_core.errors import OverloadedError


def create_budget(backlog_s: float = 0.0) -> TokenBudget:
    return TokenBudget(max_tokens_in_flight=100, client_share=0.5, get_backlog_s=lambda: backlog_s)


def test_a_single_chat_may_exceed_the_budget_and_gives_it_back() -> None:
    budget = create_budget()
    with budget.reserve(500, "a"), pytest.raises(OverloadedError), budget.reserve(1, "b"):
        pass
    with budget.reserve(100, "b"):
        pass


def test_a_client_is_held_to_its_share_only_while_others_hold_some() -> None:
    budget = create_budget()
    with ExitStack() as held:
        for positions, client in ((30, "greedy"), (50, "greedy")):
            held.enter_context(budget.reserve(positions, client))
        held.enter_context(budget.reserve(10, "modest"))
        with pytest.raises(OverloadedError, match="share"), budget.reserve(5, "greedy"):
            pass


def test_the_wait_grows_with_the_backlog() -> None:
    def measure_wait(budget: TokenBudget) -> float:
        with budget.reserve(100, "a"), pytest.raises(OverloadedError) as caught, budget.reserve(1, "b"):
            pass
        return caught.value.retry_after_s

    assert measure_wait(create_budget()) == 1.0
    assert measure_wait(create_budget(backlog_s=20.0)) == pytest.approx(20.01, abs=0.05)
