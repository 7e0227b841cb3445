"""What the page is told about the server: limits, policies that the key may choose, presets, and fitting examples."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from safety_core import __version__
from safety_core.engine.guard_info import GuardInfo
from safety_core.policy.documents import overlay_policy
from safety_core.policy.policy import Policy
from safety_core.policy.presets import PRESETS
from safety_core.taxonomy import DEFAULT_TAXONOMY
from service.access.api_keys import Scope, format_key_entry
from service.playground.examples import DRAWN, PHOTOGRAPHS, Example
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.paths import ROOT
from tests.helpers.server.applications import open_client, open_local_client


class Miniature(FakeGuard):
    """A guard that knows drawn pictures only, with a model card."""

    @property
    def info(self) -> GuardInfo:
        return replace(super().info, is_miniature=True, model_card="# Card")


def test_limits_and_links_are_those_of_the_server(fake: FakeGuard) -> None:
    limits = {"max_images": 3, "max_turns": 5, "max_tokens": 7}
    with open_client(fake, **limits, image_url_hosts="pictures.example") as client:
        told = client.get("/playground/about").json()
    assert (told["max_images"], told["max_messages"], told["max_tokens"]) == (3, 5, 7)
    assert (told["version"], told["image_urls"], told["can_chat"]) == (__version__, True, True)
    assert told["links"] == {"docs": "docs", "model_card": None}


def test_its_links_lead_somewhere() -> None:
    with open_client(Miniature()) as client:
        links = client.get("/playground/about").json()["links"]
        assert set(links) == {"docs", "model_card"}
        assert [client.get(f"/{link}").status_code for link in links.values()] == [200, 200]


def test_nothing_is_fetched_and_nothing_compared_by_default(client: TestClient) -> None:
    told = client.get("/playground/about").json()
    assert (told["image_urls"], told["compares"], told["is_miniature"]) == (False, False, False)


def test_the_comparison_is_offered_on_this_machine_only() -> None:
    fake = FakeGuard(bare_pieces=("a",))
    for address, compares in (("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)):
        with open_local_client(fake, address=address, playground_compare=True) as client:
            assert client.get("/playground/about").json()["compares"] is compares
    with open_local_client(fake) as client:
        assert client.get("/playground/about").json()["compares"] is False


# --- policies --------------------------------------------------------------------------------------------------------


def test_policies_are_those_that_the_key_may_choose(fake: FakeGuard, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("policies: {kids: {thresholds: {privacy: {1: 0.25}}}, own: {}}\nselectable: [kids]\n")
    narrow = format_key_entry("narrow", "narrow", [Scope.CHAT]).replace(
        "- name: narrow\n", "- name: narrow\n  policies: [own]\n"
    )
    with open_client(fake, policy=file, api_keys=format_key_entry("wide", "wide", [Scope.CHAT]) + narrow) as client:
        for secret, names in (("wide", ["default", "kids"]), ("narrow", ["own"])):
            told = client.get("/playground/about", headers={"x-api-key": secret}).json()["policies"]
            assert [policy["name"] for policy in told] == names
            for policy in told:
                assert policy["thresholds"]["privacy"]["1"] == (0.25 if policy["name"] == "kids" else 0.5)


def test_presets_are_made_of_the_policy_in_force(fake: FakeGuard, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("thresholds: {privacy: {1: 0.2}}\n")
    with open_client(fake, policy=file) as client:
        told = client.get("/playground/about").json()["presets"]
    base = overlay_policy(
        Policy.create_default(DEFAULT_TAXONOMY), {"thresholds": {"privacy": {"1": 0.2}}}, DEFAULT_TAXONOMY
    )
    assert [preset["name"] for preset in told] == ["strict", "balanced", "permissive"]
    for shown, preset in zip(told, PRESETS, strict=True):
        assert (shown["title"], shown["description"]) == (preset.title, preset.description)
        assert overlay_policy(base, shown["changes"], DEFAULT_TAXONOMY) == preset.derive_policy(base)


def test_presets_can_be_tried_on_requests(client: TestClient) -> None:
    """A belief of 0.4 in level 1 is below the threshold of 0.5, and above that of the strict preset."""
    view = {"types": [0.0, 0.9, 0.0, 0.0, 0.0, 0.0, 0.1], "levels": [0.6, 0.4, 0.0, 0.0]}
    found = {}
    for preset in client.get("/playground/about").json()["presets"]:
        body = {"changes": preset["changes"], "requests": [[view]]}
        (decided,) = client.post("/playground/decisions", json=body).json()["decisions"]
        found[preset["name"]] = decided["decision"]
    assert found == {"strict": "refused", "balanced": "allowed", "permissive": "allowed"}


def test_thresholds_and_presets_stay_where_risk_is_not_told(fake: FakeGuard) -> None:
    with open_client(fake, expose_risk=False) as client:
        told = client.get("/playground/about").json()
    assert (told["policies"], told["presets"]) == ([{"name": "default"}], [])


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("guard", "examples"), [(Miniature(), DRAWN), (FakeGuard(), PHOTOGRAPHS)])
def test_examples_fit_the_checkpoint(guard: FakeGuard, examples: tuple[Example, ...]) -> None:
    with open_client(guard) as client:
        told = client.get("/playground/about").json()["examples"]
        assert [one["prompt"] for one in told] == [example.prompt for example in examples]
        for one in told:
            assert set(one) == {"file", "title", "kind", "prompt", "expects", "alt", "credit"}
            if one["file"] is not None:
                sent = client.get(f"/playground/examples/{one['file']}")
                assert sent.headers["content-type"] == f"image/{'png' if one['file'].endswith('png') else 'jpeg'}"
                with Image.open(BytesIO(sent.content)) as picture:
                    assert min(picture.size) >= 100


@pytest.mark.parametrize("examples", [DRAWN, PHOTOGRAPHS], ids=["drawn", "photographs"])
def test_there_are_six_of_different_kinds_with_a_description_of_each_picture(examples: tuple[Example, ...]) -> None:
    assert len({example.kind for example in examples}) == len(examples) == 6
    assert len({example.expects for example in examples}) >= 2
    assert any(example.file is None for example in examples)
    assert all(bool(example.alt) == (example.file is not None) for example in examples)


def test_the_photographs_are_those_of_the_repository_with_their_credits() -> None:
    folder = ROOT / "service" / "playground" / "examples" / "photographs"
    credits = (folder / "CREDITS.md").read_text(encoding="utf-8")
    files = {path.name for path in folder.glob("*.jpg")}
    assert files == {example.file for example in PHOTOGRAPHS if example.file is not None}
    for name in files:
        assert (folder / name).read_bytes() == (ROOT / "examples" / "small" / name).read_bytes()
        assert f"`{name}`" in credits
    for example in PHOTOGRAPHS:
        if example.file in ("chelsea.jpg", "coffee.jpg"):
            assert example.credit is not None
            assert example.credit.removesuffix(", CC0") in credits
