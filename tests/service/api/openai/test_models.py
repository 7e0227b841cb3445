"""One model is served: under its name, and for moderations under the names of OpenAI's."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from safety_core.errors import InputError
from service.api.openai.models import check_model, check_moderation_model
from service.endpoints import MODERATIONS
from tests.helpers.engine.fakes import FakeGuard

SERVICE = cast(Any, SimpleNamespace(guard=FakeGuard()))


@pytest.mark.parametrize("name", [None, "fake"])
def test_the_served_model_is_meant_by_its_name_and_by_none(name: str | None) -> None:
    check_model(name, SERVICE)
    check_moderation_model(name, SERVICE)


@pytest.mark.parametrize("name", ["", "FAKE", "fake ", "fake/", "gpt-4o"])
def test_any_other_name_is_unknown(name: str) -> None:
    for check in (check_model, check_moderation_model):
        with pytest.raises(InputError) as caught:
            check(name, SERVICE)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        assert "gpt" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        *(MODERATIONS.model_aliases or ()),
        "omni-moderation-2030-01-31",
        "text-moderation-123",
        "openai/omni-moderation-latest",
    ],
)
def test_openais_moderation_models_stand_for_the_served_one_in_moderations_only(name: str) -> None:
    check_moderation_model(name, SERVICE)
    with pytest.raises(InputError):
        check_model(name, SERVICE)


@pytest.mark.parametrize(
    "name", ["omni-moderation", "omni-moderation-latest2", "azure/omni-moderation-latest", "x-omni-moderation-latest"]
)
def test_names_that_only_resemble_them_do_not(name: str) -> None:
    with pytest.raises(InputError):
        check_moderation_model(name, SERVICE)
