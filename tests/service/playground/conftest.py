"""One browser for all of these tests, and the servers that they open."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from service.access.api_keys import Scope, format_key_entry
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.browser import launch_browser, open_playground
from tests.helpers.server.keys import LIMITED_KEY, VISITOR_KEY
from tests.helpers.server.processes import ServerProcess
from tests.helpers.server.threads import run_nano_server, run_threaded_server


@pytest.fixture
def server(nano_server: ServerProcess) -> ServerProcess:
    return nano_server


@pytest.fixture(scope="package")
def keyed() -> Iterator[str]:
    """A server that wants a key: ``VISITOR_KEY``, or ``LIMITED_KEY``, which is good for two requests a minute."""
    limited = format_key_entry("limited", LIMITED_KEY, [Scope.CHAT]).replace(
        "- name: limited\n", "- name: limited\n  requests_per_minute: 2\n"
    )
    keys = format_key_entry("visitor", VISITOR_KEY, [Scope.CHAT]) + limited
    with run_nano_server(api_keys=keys) as url:
        yield url


@pytest.fixture
def fake() -> FakeGuard:
    """A guard that allows everything and replies "It is a red apple."."""
    return FakeGuard()


@pytest.fixture
def fake_server(fake: FakeGuard) -> Iterator[str]:
    """A server with ``fake``, which sees every request, because verdicts are not cached."""
    with run_threaded_server(fake, cache_mb=0) as url:
        yield url


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch_browser(playwright) as launched_browser:
        yield launched_browser


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    with open_playground(browser, server.url) as page:
        yield page
