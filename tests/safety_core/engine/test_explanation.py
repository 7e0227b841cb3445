"""An explanation says what the guard did, in numbers that add up."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from safety_core.engine.explanation import explain_rules, explain_scores, explain_verdict, find_deciding_score
from safety_core.engine.guard import Guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.policy.named_policies import ActivePolicy, Mode
from safety_core.policy.policy import Action, Decision, Policy
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY as T
from tests.helpers.engine.readers import FakeReader
from tests.helpers.images.encoding import encode_image
from tests.helpers.images.pictures import create_picture

DEFAULT = Policy.create_default(T)
ACTIVE = ActivePolicy(policy=DEFAULT)


def asked(*images: DecodedImage, text: str | None = "What is it?", policy: ActivePolicy = ACTIVE) -> GuardRequest:
    turns = () if text is None else (Turn(role="user", text=text),)
    return GuardRequest(images=images, turns=turns, policy=policy)


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (
            asked(create_picture(), create_picture("blue")),
            {"image 1": True, "image 2": True, "all": True, "images": False, "text": False},
        ),
        (asked(create_picture(), text=None), {"image 1": True, "images": True}),
        (asked(), {"text": True}),
    ],
)
def test_every_view_is_there_and_those_that_decide_are_marked(
    guard: Guard, request_: GuardRequest, names: dict[str, bool]
) -> None:
    found = guard.assess(request_)
    views = explain_scores(ACTIVE, T, found.variant_scores)
    assert {view.name: view.decides for view in views} == names
    deciding = find_deciding_score(views)
    assert deciding is not None
    assert deciding.verdict == found.verdict


def test_both_readings_of_a_text_are_shown(guard: Guard) -> None:
    found = guard.assess(asked(text="what\u200b is it?"))
    assert [(view.name, view.variant) for view in explain_scores(ACTIVE, T, found.variant_scores)] == [
        ("text", 0),
        ("text", 1),
    ]


def test_the_rule_that_acts_is_the_highest_one_reached(guard: Guard) -> None:
    thresholds = {name: {1: 0.0, 2: 0.0, 3: 1.5} for name in T.risky_types}
    actions = {name: {1: Action.ALLOW, 2: Action.REFUSE, 3: Action.REFUSE} for name in T.risky_types}
    active = ActivePolicy(policy=replace(DEFAULT, thresholds=thresholds, actions=actions))
    found = guard.assess(asked(create_picture(), policy=active))
    said = explain_rules(active, found.verdict)
    assert [rule.reached for rule in said] == [True, True, False]
    assert said[1].action.decision is found.verdict.decision is Decision.REFUSED
    assert [rule.belief for rule in said] == list(found.verdict.level_scores.values())


def test_the_json_says_who_decided_what(guard: Guard) -> None:
    refusing = replace(DEFAULT, thresholds={name: dict.fromkeys((1, 2, 3), 0.0) for name in T.risky_types})
    beside = ActivePolicy(name="off", policy=replace(DEFAULT, enabled=frozenset()))
    active = ActivePolicy(name="trial", policy=refusing, mode=Mode.SHADOW, beside=(beside,))
    found = explain_verdict(active, T, guard.assess(asked(create_picture(), policy=active)))
    assert found["decision"] == "allowed"
    assert found["policy"] == {"name": "trial", "mode": "shadow", "decision": "refused"}
    assert found["others"] == {"off": "allowed"}
    assert (found["refusal"], found["off"]) == (None, [])
    assert [rule["action"] for rule in found["rules"]] == ["caution", "caution", "refuse"]
    assert found["decided_by"]["view"] in {"image 1", "all"}
    assert all(sum(view["type_scores"].values()) == pytest.approx(1, abs=1e-5) for view in found["views"])


def test_messages_that_were_left_out_are_listed(guard: Guard) -> None:
    found = guard.assess(asked(create_picture()))
    assert "dropped_messages" not in explain_verdict(ACTIVE, T, found)
    assert explain_verdict(ACTIVE, T, replace(found, dropped_messages=(0, 1)))["dropped_messages"] == [0, 1]


def test_with_every_type_off_there_is_no_rule(guard: Guard) -> None:
    active = ActivePolicy(policy=replace(DEFAULT, enabled=frozenset()))
    found = explain_verdict(active, T, guard.assess(asked(create_picture(), policy=active)))
    assert (found["decision"], found["rules"], found["off"]) == ("allowed", [], sorted(T.risky_types))


def test_lettering_is_named_by_its_picture_and_listed_once(guard: Guard) -> None:
    reader = FakeReader(texts=["Mind the gap"], by_colour={(0, 0, 255): ["Look left"]})
    guard = Guard(guard.model, guard.policy, reader=reader)
    blue = decode_image(encode_image(Image.new("RGB", (20, 20), (0, 0, 255))))
    found = guard.assess(asked(create_picture(), blue, text="what\u200b is it?"))
    views = explain_scores(ACTIVE, T, found.variant_scores, found.lettering_sources)
    lettering = [view for view in views if view.source is not None]
    names = {"lettering 1", "lettering 2", "lettering", "lettering 1 with text", "lettering 2 with text"}
    assert {view.name for view in lettering} == {*names, "lettering with text"}
    assert all(view.decides and view.variant == 0 for view in lettering)
    assert len(lettering) == len(found.lettering_sources)


def test_where_lettering_decides_its_boxes_are_named_and_its_text_is_not(guard: Guard) -> None:
    reader = FakeReader(texts=["Mind the gap", "and look left"])
    guard = Guard(guard.model, guard.policy, reader=reader)
    found = guard.assess(asked(create_picture()))
    assert found.pair is not None
    worst = RiskScores(types=(1.0, *[0.0] * (len(T.types) - 1)), levels=(0.0, 0.0, 0.0, 1.0))
    pair = replace(found.pair, lettering=(worst,) * len(found.pair.lettering))
    explained = explain_verdict(ACTIVE, T, replace(found, pair=pair, variant_scores=(pair,)))
    assert explained["decided_by"]["view"] == "lettering 1"
    assert [box["image"] for box in explained["decided_by"]["boxes"]] == [0, 0]
    assert explained["decided_by"]["boxes"][0]["box"] == pytest.approx([0.1, 0.0, 0.9, 0.4])
    assert "gap" not in json.dumps(explained)
