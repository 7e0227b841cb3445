"""The page, as a file and in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from safety_core.evaluation.benchmarks.reporting.page import render_page
from safety_core.evaluation.benchmarks.reporting.run_report import ReportOptions, compute_report
from tests.helpers.benchmarks.run_folders import (
    create_run_info,
    draw_judgements,
    draw_results,
    draw_thumbnail,
    write_folder,
)
from tests.helpers.server.browser import launch_browser

for library in ("sklearn", "matplotlib", "jinja2"):
    pytest.importorskip(library)

PICTURES = {digit * 64: draw_thumbnail(int(digit)) for digit in "123"}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    results = [one.model_copy(update={"prompt": HOSTILE}) for one in draw_results(120, pictures=tuple(PICTURES))]
    write_folder(folder, create_run_info(items=121, name=HOSTILE), results, draw_judgements(results), PICTURES)
    file = folder / "report.html"
    file.write_text(render_page(compute_report(folder, ReportOptions(resamples=20)), folder), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch_browser(playwright) as launched_browser:
        yield launched_browser


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        problems: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())
        yield page
        assert problems == []
        assert [url for url in requests if not url.startswith("data:")] == [page_file.as_uri()]


def test_texts_of_a_run_are_shown_and_never_run(page_file: Path, page: Page) -> None:
    source = page_file.read_text(encoding="utf-8")
    assert "<script" not in source
    assert " style=" not in source
    assert "default-src 'none'" in source
    assert page.locator("h1").inner_text().startswith("<img src=x")


def test_pictures_and_texts_are_hidden_until_an_entry_is_opened_by_keyboard(page: Page) -> None:
    entry = page.locator("details").first
    picture, prompt = entry.locator(".thumb img"), entry.locator("blockquote").first
    assert "blur" in picture.evaluate("image => getComputedStyle(image).filter")
    assert not prompt.is_visible()
    entry.locator("summary").focus()
    page.keyboard.press("Enter")
    assert picture.evaluate("image => getComputedStyle(image).filter") == "none"
    assert prompt.inner_text() == HOSTILE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_follows_the_colour_scheme(browser: Browser, page_file: Path, scheme: str) -> None:
    with browser.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    ) as context:
        page = context.new_page()
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, "
            "getComputedStyle(document.querySelector('svg [stroke=\"#040404\"]')).stroke]"
        )
        assert (
            colours
            == {
                "light": ["rgb(246, 247, 249)", "rgb(42, 85, 197)"],
                "dark": ["rgb(15, 18, 22)", "rgb(143, 176, 255)"],
            }[scheme]
        )


def test_a_page_without_failures_shows_neither_prompt_nor_picture(tmp_path: Path) -> None:
    results = draw_results(40, pictures=tuple(PICTURES))
    write_folder(tmp_path, create_run_info(items=40), results, thumbnails=PICTURES)
    source = render_page(compute_report(tmp_path, ReportOptions(resamples=20, failures=0)), tmp_path)
    assert "Prompt number" not in source
    assert "data:image" not in source
    assert "Harmless items that were refused" in source
