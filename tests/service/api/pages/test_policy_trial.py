"""A changed policy decides about scores that were sent back; nothing of them is quoted in an error."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from safety_core.errors import InputError
from safety_core.policy.policy import Action, NoveltyRule, Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from service.api.pages.policy_trial import PolicyTrial, count_elements, decide_trial

POLICY = Policy.create_default(T)


def view(worst: float) -> dict[str, Any]:
    return {"types": [1.0, *[0.0] * (len(T.types) - 1)], "levels": [1 - worst, 0.0, 0.0, worst]}


def decide(*requests: list[dict[str, Any]], **changes: Any) -> list[dict[str, Any]]:
    trial = PolicyTrial.model_validate({"changes": changes, "requests": list(requests)})
    return decide_trial(trial, POLICY, T)


def test_each_request_is_decided_by_its_worst_view() -> None:
    kind = T.types[0]
    assert decide([view(0.1)], [view(0.1), view(0.9)]) == [
        {"decision": "allowed", "type": T.safe_type, "level": 0},
        {"decision": "refused", "type": kind, "level": 3},
    ]
    assert decide() == []


def test_changes_count_and_what_they_do_not_name_stays() -> None:
    kind = T.types[0]
    assert decide([view(0.9)], thresholds={kind: {"3": 0.95}})[0]["decision"] == "cautioned"
    assert decide([view(0.9)], actions={kind: {"3": "allow"}})[0]["decision"] == "allowed"
    assert decide([view(0.9)])[0]["decision"] == "refused"


def test_novelty_has_the_consequence_that_it_has_in_force() -> None:
    policy = replace(POLICY, novelty=NoveltyRule(threshold=0.9, action=Action.CAUTION))
    views = [[view(0.1)], [view(0.1)], [view(0.1)], [view(0.9)]]
    trial = PolicyTrial.model_validate({"requests": views, "novelties": [0.95, 0.85, None, 0.95]})
    found = decide_trial(trial, policy, T)
    assert [one["decision"] for one in found] == ["cautioned", "allowed", "allowed", "refused"]
    assert [one.get("reason") for one in found] == ["novel", None, None, None]


@pytest.mark.parametrize(
    ("request_views", "changes", "param"),
    [
        ([view(0.1)], {"SECRET": 1}, "changes"),
        ([view(0.1)], {"thresholds": {T.types[0]: {"3": "SECRET"}}}, "changes"),
        ([{"types": [1.0], "levels": [1.0]}], {}, "requests"),
    ],
)
def test_what_does_not_fit_the_model_is_the_clients_error(
    request_views: list[dict[str, Any]], changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(InputError) as caught:
        decide(request_views, **changes)
    assert (caught.value.code, caught.value.param) == ("invalid_field", param)
    assert "SECRET" not in caught.value.message


@pytest.mark.parametrize("requests", [[[]] * 65, [[view(0.1)] * 4097], [[view(1.1)]], [[view(float("nan"))]]])
def test_what_is_accepted_is_bounded(requests: list[Any]) -> None:
    with pytest.raises(ValidationError):
        PolicyTrial.model_validate({"requests": requests})


@pytest.mark.parametrize("novelties", [[0.5], [0.5] * 3, [0.5, 1.1], [0.5, float("nan")], [0.5, "canary"]])
def test_there_is_one_novelty_for_each_request(novelties: list[Any]) -> None:
    with pytest.raises(ValidationError):
        PolicyTrial.model_validate({"requests": [[view(0.1)]] * 2, "novelties": novelties})


def test_the_largest_body_has_no_more_elements_than_are_counted() -> None:
    body = PolicyTrial.model_validate({"requests": [[view(0.5)] * 64] * 64}).model_dump_json()
    assert sum(body.count(mark) for mark in ",[{") <= count_elements(T)
