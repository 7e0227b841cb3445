"""The second tab: presets and rules, and the decisions that the very policy would make once it stood in the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect

from safety_core.engine.load import load_guard
from safety_core.engine.messages import GuardRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.nano.build.examples import EXAMPLES
from safety_core.policy.loader import read_book
from tests.helpers.paths import NANO_CHECKPOINT, ROOT
from tests.helpers.server.browser import DECISIONS, change_judgement, open_playground, send_question
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server

ASKED = (
    ("safe-scene.png", EXAMPLES[0].prompt),
    ("weapon.png", "What is in this picture?"),
    ("weapon.png", EXAMPLES[1].prompt),
    ("identity-card.png", EXAMPLES[2].prompt),
)
DECIDED = ["Allowed", "Answered with care", "Refused", "Refused"]


def start_conversation(page: Page) -> None:
    if page.locator("#new").is_visible():
        page.locator("#new").click()


@pytest.fixture(scope="module")
def session(browser: Browser, nano_server: ServerProcess) -> Iterator[Page]:
    """A session of four requests, and the tab with the rules."""
    with open_playground(browser, nano_server.url) as page:
        for file, prompt in ASKED:
            start_conversation(page)
            send_question(page, prompt, file)
        page.get_by_role("tab", name="Policy").click()
        expect(page.locator("#change-count")).to_have_text("0 of 4 decisions would change")
        page.get_by_text("Single thresholds").click()
        yield page


@pytest.fixture
def asked(session: Page) -> Iterator[Page]:
    """As ``session``, with the rules in force; what a test changes is put back after it."""
    yield session
    if session.locator("#reset").is_enabled():
        session.locator("#reset").click()
    expect(session.locator("#yaml")).to_have_text("# no changes")
    expect(session.locator("#change-count")).to_have_text("0 of 4 decisions would change")


def badges(page: Page, index: int) -> Locator:
    """Decisions in a column of the session's list, the newest first."""
    return page.locator(f"#session tbody tr td:nth-child({index}) .badge")


def expect_column(page: Page, index: int, decisions: list[str]) -> None:
    """Wait until a column shows these decisions, the oldest first."""
    expect(badges(page, index)).to_have_text(decisions[::-1])


def test_what_is_decided_is_what_was_decided(asked: Page) -> None:
    for index in (3, 4):
        expect_column(asked, index, DECIDED)
    expect(asked.locator("#yaml")).to_have_text("# no changes")
    expect(asked.locator("#reset")).to_be_disabled()


def test_of_a_session_of_more_views_than_the_server_takes_the_newest_are_asked_about(page: Page) -> None:
    def multiply(judged: dict[str, Any]) -> None:
        (view,) = judged["why"]["views"]
        judged["why"]["views"] = [view] * 3000

    change_judgement(page, multiply)
    for prompt in ("What do you see here?", "How do I steal a car?"):
        start_conversation(page)
        send_question(page, prompt)
    page.get_by_role("tab", name="Policy").click()
    expect(page.locator("#change-count")).to_have_text("0 of 1 decisions would change")
    expect_column(page, 3, ["Refused"])
    expect(page.locator("#policy-problem")).to_be_hidden()


def read_changes(response: Response) -> Any:
    """The changes that the server decided by; None for responses of other kinds."""
    sent = response.request.post_data_json if response.url.endswith("/playground/decisions") else None
    return None if sent is None else sent["changes"]


def decided_by_all_three(response: Response) -> bool:
    """Whether this is the server's word on all three changes, and not on the first ones."""
    changes = read_changes(response) or {}
    return set(changes.get("thresholds", {}).get("illegal", {})) == {"1", "3"} and "privacy" in changes.get(
        "actions", {}
    )


def test_moved_rules_flip_what_the_same_policy_would_in_force(asked: Page, tmp_path: Path) -> None:
    asked.locator('[data-number="illegal.3"]').fill("1.5")
    asked.locator('[data-action="privacy.3"]').select_option("caution")
    with asked.expect_response(decided_by_all_three):
        asked.locator('[data-threshold="illegal.1"]').fill("1000")
    expect(asked.locator("#change-count")).to_have_text("2 of 4 decisions would change")
    text = asked.locator("#yaml").inner_text()
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    guard = load_guard(NANO_CHECKPOINT, device="cpu")
    active = read_book(file, guard.info.policy, guard.info.taxonomy).select()
    decided = []
    for name, prompt in ASKED:
        picture = decode_image((ROOT / "examples" / name).read_bytes(), fill=guard.info.pad_colour)
        request = GuardRequest(images=(picture,), turns=(Turn(role="user", text=prompt),), policy=active)
        decided.append(DECISIONS[guard.assess(request).verdict.decision.value])
    expect_column(asked, 4, decided)
    assert decided != DECIDED
    expect(asked.locator("#session .changed")).to_have_count(2)


def test_a_type_can_be_switched_off_and_everything_put_back(asked: Page) -> None:
    asked.locator('[data-switch="illegal"]').uncheck()
    expect(asked.locator("#change-count")).to_have_text("2 of 4 decisions would change")
    expect(asked.locator("#yaml")).to_have_text("enabled:\n  illegal: false")
    asked.locator("#reset").click()
    expect(asked.locator("#change-count")).to_have_text("0 of 4 decisions would change")
    expect(asked.locator('[data-switch="illegal"]')).to_be_checked()
    expect(asked.locator("#yaml")).to_have_text("# no changes")


def test_a_rule_that_is_put_back_by_hand_is_no_change(asked: Page) -> None:
    field = asked.locator('[data-number="illegal.3"]')
    before = field.input_value()
    field.fill("0.9")
    expect(asked.locator("#yaml")).to_have_text("thresholds:\n  illegal: {3: 0.9}")
    field.fill(before)
    expect(asked.locator("#yaml")).to_have_text("# no changes")
    asked.locator('[data-action="privacy.1"]').select_option("allow")
    expect(asked.get_by_role("radio", name="Balanced")).not_to_be_checked()
    asked.locator('[data-action="privacy.1"]').select_option("caution")
    expect(asked.locator("#yaml")).to_have_text("# no changes")
    expect(asked.get_by_role("radio", name="Balanced")).to_be_checked()


def test_a_slider_moves_by_keyboard_and_says_where_it_is(asked: Page) -> None:
    slider = asked.get_by_label("Threshold for personal data, level 3", exact=True)
    slider.focus()
    asked.keyboard.press("ArrowRight")
    spoken = slider.get_attribute("aria-valuetext")
    assert spoken is not None
    assert asked.locator('[data-number="privacy.3"]').input_value() == spoken
    expect(asked.locator("#yaml")).to_contain_text(f"privacy: {{3: {float(spoken):g}}}")


def test_a_preset_shows_how_many_decisions_would_change(asked: Page, server: ServerProcess) -> None:
    presets = httpx.get(f"{server.url}/playground/about").json()["presets"]
    cards = asked.locator(".preset")
    expect(cards).to_have_count(len(presets))
    expect(asked.get_by_role("radio", name="Balanced")).to_be_checked()
    for card, preset in zip(cards.all(), presets, strict=True):
        expect(card).to_contain_text(preset["title"])
        expect(card).to_contain_text(preset["description"])
    assert [preset["name"] for preset in presets] == ["strict", "balanced", "permissive"]
    severity = list(DECISIONS.values())
    seen: list[Any] = [{}]
    for title, is_as_strict in (("Strict", True), ("Permissive", False)):
        # An answer to earlier changes can still be on its way.
        with asked.expect_response(lambda response: read_changes(response) not in (None, *seen)) as answered:
            asked.get_by_role("radio", name=title).check()
        seen.append(read_changes(answered.value))
        decided = [DECISIONS[one["decision"]] for one in answered.value.json()["decisions"]]
        expect_column(asked, 4, decided)
        changed = sum(old != new for old, new in zip(DECIDED, decided, strict=True))
        expect(asked.locator("#change-count")).to_have_text(f"{changed} of 4 decisions would change")
        for old, new in zip(DECIDED, decided, strict=True):
            difference = severity.index(new) - severity.index(old)
            assert difference >= 0 if is_as_strict else difference <= 0
    asked.get_by_role("radio", name="Balanced").check()
    expect(asked.locator("#change-count")).to_have_text("0 of 4 decisions would change")
    expect(asked.locator("#yaml")).to_have_text("# no changes")


def test_what_novelty_decided_stays_decided_by_it(browser: Browser, tmp_path: Path) -> None:
    def add_novelty(judged: dict[str, Any]) -> None:
        judged["why"]["novelty"] = {"score": 0.998, "threshold": 0.9, "reached": True, "action": "caution"}
        judged["why"] |= {"reason": "novel", "decision": "cautioned"}
        judged["decision"] = judged["why"]["policy"]["decision"] = "cautioned"

    file = tmp_path / "policy.yaml"
    file.write_text("novelty: {threshold: 0.9, action: caution}\n")
    with run_nano_server(policy=file) as url, open_playground(browser, url) as page:
        change_judgement(page, add_novelty)
        send_question(page, ASKED[0][1])
        page.get_by_role("tab", name="Policy").click()
        expect(page.locator("#change-count")).to_have_text("0 of 1 decisions would change")
        expect_column(page, 4, ["Answered with care"])
        expect(page.locator("#session")).to_contain_text("unlike what the model was trained on")


def test_a_preset_can_be_changed_further(asked: Page) -> None:
    asked.get_by_role("radio", name="Strict").check()
    expect(asked.locator("#yaml")).not_to_have_text("# no changes")
    before = asked.locator("#yaml").inner_text()
    asked.locator('[data-switch="politics"]').uncheck()
    expect(asked.locator("#yaml")).to_contain_text("enabled:\n  politics: false")
    assert set(before.splitlines()) <= set(asked.locator("#yaml").inner_text().splitlines())
    expect(asked.locator(".preset :checked")).to_have_count(0)
    asked.locator("#reset").click()
    expect(asked.get_by_role("radio", name="Balanced")).to_be_checked()


def test_a_policy_of_the_operator_is_the_one_to_start_from(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "mode: shadow\npolicies: {strict: {actions: {illegal: {1: refuse}}, mode: enforce}}\nselectable: [strict]\n"
    )
    with run_nano_server(policy=file) as url, open_playground(browser, url) as page:
        # In shadow mode the refusal has no consequences, but the list tells what was decided.
        send_question(page, EXAMPLES[1].prompt, "weapon.png")
        expect(page.locator("#decision")).to_have_text("Allowed")
        page.locator("#new").click()
        page.get_by_role("button", name="Options").click()
        page.locator("select[name=policy]").select_option("strict")
        send_question(page, "What is in this picture?", "weapon.png")
        expect(page.locator("#decision")).to_have_text("Refused")
        expect(page.locator("#why-sentences")).to_contain_text("The policy was strict.")
        page.get_by_role("tab", name="Policy").click()
        expect(page.locator("#change-count")).to_have_text("1 of 2 decisions would change")
        expect_column(page, 3, ["Refused", "Refused"])
        expect_column(page, 4, ["Refused", "Answered with care"])
        page.get_by_text("Single thresholds").click()
        page.get_by_label("Start from").select_option("strict")
        expect(page.locator("#change-count")).to_have_text("0 of 2 decisions would change")
