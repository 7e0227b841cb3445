"""The pages of the API's documentation in a browser: complete, and from this server alone."""

from playwright.sync_api import Browser, expect

from tests.playground.browsing import TIMEOUT_MS
from tests.safety_core.engine.fakes import FakeGuard
from tests.service.test_traffic import listening

SHOWN = {"docs": "#swagger-ui .opblock", "redoc": "redoc [data-section-id], .redoc-wrap h1"}
"""What a page shows once it has read the OpenAPI document."""


def test_both_pages_show_the_document_without_another_host_and_without_a_complaint(browser: Browser) -> None:
    with listening(FakeGuard()) as url:
        for name, shown in SHOWN.items():
            complaints: list[str] = []
            asked: list[str] = []
            with browser.new_context() as context:
                page = context.new_page()
                page.on("console", lambda message, kept=complaints: kept.append(message.text))
                page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
                page.on("request", lambda request, kept=asked: kept.append(request.url))
                page.goto(f"{url}/{name}")
                expect(page.locator(shown).first).to_be_visible(timeout=TIMEOUT_MS)
                expect(page.get_by_text("SafeVLM Guard").first).to_be_visible(timeout=TIMEOUT_MS)
                page.wait_for_load_state("networkidle")
            assert f"{url}/openapi.json" in asked
            assert [one for one in asked if not one.startswith((f"{url}/", "data:", f"blob:{url}/"))] == []
            assert complaints == []


def test_a_request_can_be_tried_out_from_the_page(browser: Browser) -> None:
    with listening(FakeGuard()) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/docs")
        block = page.locator("#operations-default-healthz")
        block.locator(".opblock-summary-control").click(timeout=TIMEOUT_MS)
        block.get_by_role("button", name="Try it out").click(timeout=TIMEOUT_MS)
        block.get_by_role("button", name="Execute").click(timeout=TIMEOUT_MS)
        expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(
            "200", timeout=TIMEOUT_MS
        )
