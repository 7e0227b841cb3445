import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.endpoints.addresses import parse_address, read_key


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("https://models.example/v1/", "https://models.example/v1"),
        ("https://models.example/openai", "https://models.example/openai"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_v1_is_added_to_an_url_without_a_path(url: str, base: str) -> None:
    assert parse_address(url).base == base


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost:8000", "ftp://host", "http://", "https://user:secret@host", "https://host/v1?key=secret",
        "https://host#secret", "http://host:port", "http://[::1",
    ],
)  # fmt: skip
def test_other_urls_are_errors_that_quote_nothing(url: str) -> None:
    with pytest.raises(ConfigError, match="--endpoint") as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://models.example", "http://127.0.0.1:1", "http://localhost", "http://[::1]"])
def test_a_key_is_sent_over_https_and_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", " secret ")
    assert read_key("KEY", parse_address(url)) == "secret"


@pytest.mark.parametrize(("url", "key"), [("http://models.example", "secret"), ("https://models.example", "sec\nret")])
def test_a_key_is_never_sent_unencrypted_or_malformed(url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", key)
    with pytest.raises(ConfigError) as caught:
        read_key("KEY", parse_address(url))
    assert key not in str(caught.value)


def test_no_key_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    assert read_key("KEY", parse_address("http://models.example")) is None
