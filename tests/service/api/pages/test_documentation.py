"""Pages of the documentation load their assets from this server alone."""

import re

import pytest

from service.api.pages.documentation import HEADERS, PAGES, read_asset


@pytest.mark.parametrize("name", PAGES)
def test_every_asset_that_a_page_names_exists(name: str) -> None:
    links = re.findall(r'(?:src|href)="([^"]+)"', PAGES[name])
    assets = [link.removeprefix("docs/") for link in links if link.startswith("docs/")]
    assert len(assets) == 2 + (name == "docs")
    for asset in assets:
        data, media_type = read_asset(asset)
        assert data
        assert media_type == ("text/css" if asset.endswith(".css") else "text/javascript")
    assert [link for link in links if link.startswith(("http", "/"))] == []


def test_no_asset_has_a_picture_of_another_host() -> None:
    assert b"cdn.redoc.ly" not in read_asset("redoc.standalone.js")[0]


@pytest.mark.parametrize("name", ["", "index.html", "../index.html", "swagger-ui.css.map"])
def test_there_are_no_other_assets(name: str) -> None:
    with pytest.raises(KeyError):
        read_asset(name)


def test_the_browser_is_told_to_load_and_run_nothing_else() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
