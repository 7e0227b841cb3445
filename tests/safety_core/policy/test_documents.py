"""Policy files against damage: each mistake names its field."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.policy.documents import format_policy, load_guarantee, load_policy, overlay_policy, parse_policy
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.guarantees import GUARANTEE

T = DEFAULT_TAXONOMY
DEFAULT = Policy.create_default(T)


def test_the_json_form_round_trips(tmp_path: Path) -> None:
    policy = overlay_policy(DEFAULT, {"enabled": {"politics": False}, "refusals": {"illegal": "No."}}, T)
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy.to_dict()))
    assert load_policy(path, T) == policy
    assert "politics" not in policy.enabled


def test_an_overlay_replaces_what_it_names_and_nothing_else() -> None:
    changes = {
        "enabled": {"misleading": False},
        "thresholds": {"illegal": {3: 0.2}},
        "fallback_refusal": "Sorry, no.",
    }
    policy = overlay_policy(DEFAULT, changes, T)
    assert policy.enabled == DEFAULT.enabled - {"misleading"}
    assert policy.thresholds["illegal"] == {1: 0.5, 2: 0.5, 3: 0.2}
    assert policy.thresholds["privacy"] == DEFAULT.thresholds["privacy"]
    assert policy.fallback_refusal == "Sorry, no."
    assert overlay_policy(DEFAULT, {}, T) == DEFAULT


def test_an_overlay_may_be_a_whole_policy_json() -> None:
    policy = overlay_policy(DEFAULT, {"thresholds": {"illegal": {3: 0.2}}, "enabled": {"privacy": False}}, T)
    assert overlay_policy(DEFAULT, policy.to_dict(), T) == policy
    with pytest.raises(ConfigError, match="format_version"):
        overlay_policy(DEFAULT, policy.to_dict() | {"format_version": 2}, T)


def test_a_guarantee_stands_beside_the_policy_and_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(format_policy(DEFAULT, GUARANTEE)))
    assert load_policy(path, T) == DEFAULT
    assert load_guarantee(path, T) == GUARANTEE
    data = json.loads(path.read_text())
    assert parse_policy(data, T).digest == DEFAULT.digest
    assert overlay_policy(DEFAULT, data, T) == DEFAULT, "a whole file may be an overlay; its guarantee ends there"


def test_without_a_guarantee_the_file_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(format_policy(DEFAULT)))
    assert json.loads(path.read_text()) == DEFAULT.to_dict()
    assert load_guarantee(path, T) is None


def test_a_malformed_guarantee_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    data = format_policy(DEFAULT, GUARANTEE)
    path.write_text(json.dumps(data | {"guarantee": GUARANTEE.to_dict() | {"delta": 2.0}}))
    for load in (load_policy, load_guarantee):
        with pytest.raises(ConfigError, match=r"policy\.guarantee\.delta: a number less than 1"):
            load(path, T)
    presets = {"strict": {"thresholds": {"weapons": {"1": 0.3}}, "guarantees": [], "measured": {}}}
    path.write_text(json.dumps(data | {"guarantee": GUARANTEE.to_dict() | {"presets": presets}}))
    with pytest.raises(ConfigError, match="weapons"):
        load_guarantee(path, T)


def test_equal_policies_have_equal_digests() -> None:
    assert overlay_policy(DEFAULT, {}, T).digest == DEFAULT.digest
    assert overlay_policy(DEFAULT, {"thresholds": {"illegal": {3: 0.2}}}, T).digest != DEFAULT.digest
    assert overlay_policy(DEFAULT, {"refusals": {"illegal": "No."}}, T).digest != DEFAULT.digest


def edited(*path: str, value: object) -> Callable[[dict[str, object]], None]:
    def edit(data: dict[str, object]) -> None:
        node = data
        for key in path[:-1]:
            node = node[key]  # type: ignore[assignment]
        if value is None:
            del node[path[-1]]
        else:
            node[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (edited("format_version", value=2), "policy.format_version"),
        (edited("surplus", value=1), "policy.surplus: unknown field"),
        (edited("actions", value=None), "policy.actions: the field is missing"),
        (edited("enabled", "safe", value=True), "policy.enabled"),
        (edited("enabled", "illegal", value="yes"), "policy.enabled.illegal"),
        (edited("thresholds", "illegal", value=0.5), "policy.thresholds.illegal"),
        (edited("thresholds", "illegal", "0", value=0.5), "policy.thresholds.illegal"),
        (edited("thresholds", "illegal", "3", value=True), "policy.thresholds.illegal.3"),
        (edited("thresholds", "illegal", "3", value=-0.1), "policy.thresholds.illegal.3"),
        (edited("thresholds", "illegal", "3", value=math.nan), "policy.thresholds.illegal.3"),
        (edited("thresholds", "illegal", "3", value=10**400), "policy.thresholds.illegal.3"),
        (edited("thresholds", "illegal", "3", value=None), "policy.thresholds.illegal: missing \\['3'\\]"),
        (edited("refusals", "illegal", value=None), "policy.refusals: missing \\['illegal'\\]"),
        (edited("actions", "privacy", "1", value="refused"), "policy.actions.privacy.1"),
        (edited("actions", "privacy", "1", value=["refuse"]), "policy.actions.privacy.1"),
        (edited("refusals", "privacy", value=" "), "policy.refusals.privacy"),
        (edited("refusals", "privacy", value="\ud83d"), "policy.refusals.privacy: a string without lone surrogates"),
        (edited("fallback_refusal", value=7), "policy.fallback_refusal"),
    ],
)
def test_malformed_policies_name_the_field(edit: Callable[[dict[str, object]], None], names: str) -> None:
    data = json.loads(json.dumps(DEFAULT.to_dict()))
    edit(data)
    with pytest.raises(ConfigError, match=names):
        parse_policy(data, T)


def test_malformed_files_and_overlays(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(path, T)
    path.write_text("[1]")
    with pytest.raises(ConfigError, match="an object is needed"):
        load_policy(path, T)
    with pytest.raises(ConfigError, match=r"policy\.thresholds\.weapons: unknown field"):
        overlay_policy(DEFAULT, {"thresholds": {"weapons": {"3": 0.2}}}, T)
    with pytest.raises(ConfigError, match=r"policy\.thresholds\.illegal: an object"):
        overlay_policy(DEFAULT, {"thresholds": {"illegal": 0.2}}, T)
