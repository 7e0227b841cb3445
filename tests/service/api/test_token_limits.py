"""A reply has the client's token limit within the operator's, and a lowered limit is reported."""

import pytest

from safety_core.errors import PromptError
from service.api.token_limits import HEADER, choose_token_limit, create_limit_header, should_lower_limit
from service.endpoints import CHAT, COMPLETIONS
from service.settings import Settings

SETTINGS = Settings(max_tokens=50, default_max_tokens=20)


@pytest.mark.parametrize(("requested", "limit"), [(None, 20), (1, 1), (50, 50)])
def test_a_limit_within_the_operators_is_kept(requested: int | None, limit: int) -> None:
    for endpoint in (CHAT, COMPLETIONS):
        assert choose_token_limit(requested, endpoint, SETTINGS, param="max_tokens") == limit
        assert create_limit_header(requested, endpoint, SETTINGS) == {}


def test_the_default_is_never_above_the_maximum() -> None:
    settings = Settings(max_tokens=10, default_max_tokens=20)
    assert choose_token_limit(None, CHAT, settings, param="max_tokens") == 10


def test_a_larger_limit_is_rejected_on_our_own_path_and_lowered_on_openais() -> None:
    with pytest.raises(PromptError) as error:
        choose_token_limit(51, CHAT, SETTINGS, param="max_tokens")
    assert (error.value.code, error.value.param) == ("max_tokens_too_large", "max_tokens")
    assert choose_token_limit(51, COMPLETIONS, SETTINGS, param="max_completion_tokens") == 50
    assert create_limit_header(51, COMPLETIONS, SETTINGS) == {HEADER: "50"}


@pytest.mark.parametrize(("excess", "lowers"), [("clamp", True), ("reject", False)])
def test_the_operator_can_choose_the_same_for_all_paths(excess: str, lowers: bool) -> None:
    settings = Settings.model_validate({"max_tokens_excess": excess})
    assert [should_lower_limit(endpoint, settings) for endpoint in (CHAT, COMPLETIONS)] == [lowers, lowers]
