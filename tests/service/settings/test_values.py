"""Values of settings are checked and normalised."""

from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from service.settings.environment import read_settings
from tests.helpers.paths import ROOT


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ROOT_PATH", "guard/", "SAFEVLM_ROOT_PATH: expected a path such as /guard, without a trailing slash"),
        ("ALLOWED_ORIGINS", "*", "SAFEVLM_ALLOWED_ORIGINS: expected origins such as https://app.example.org"),
        ("TRUSTED_PROXIES", "lan", "SAFEVLM_TRUSTED_PROXIES: expected addresses or networks such as 10.0.0.0/8"),
        ("API_KEYS_FILE", "", "SAFEVLM_API_KEYS_FILE: expected a path; do not set the variable if there is none"),
        (
            "FALLBACK_CHECKPOINT",
            "",
            "SAFEVLM_FALLBACK_CHECKPOINT: expected a path; do not set the variable if there is none",
        ),
        ("AUDIT_LOG", "", "SAFEVLM_AUDIT_LOG: expected a path; do not set the variable if there is none"),
        ("ALLOWED_HOSTS", "http://a", "SAFEVLM_ALLOWED_HOSTS: expected host names or addresses, without a scheme"),
    ],
)
def test_a_malformed_value_is_answered_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SAFEVLM_{name}", value)
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert str(caught.value) == said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_the_comparison_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert not read_settings().playground_compare
    monkeypatch.setenv("SAFEVLM_PLAYGROUND_COMPARE", "true")
    monkeypatch.setenv("SAFEVLM_HOST", host)
    assert read_settings().playground_compare


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HOST", "0.0.0.0", "SAFEVLM_HOST"),
        ("HOST", "192.0.2.1", "SAFEVLM_HOST"),
        ("HOST", "guard.example", "SAFEVLM_HOST"),
        ("TRUSTED_PROXIES", "127.0.0.1", "SAFEVLM_TRUSTED_PROXIES"),
        ("ROOT_PATH", "/guard", "SAFEVLM_ROOT_PATH"),
        ("PLAYGROUND", "false", "SAFEVLM_PLAYGROUND=true"),
        ("MODE", "guard", "SAFEVLM_MODE=chat"),
    ],
)
def test_the_comparison_is_refused_where_it_could_be_seen_elsewhere_or_has_no_use(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv("SAFEVLM_PLAYGROUND_COMPARE", "true")
    monkeypatch.setenv(f"SAFEVLM_{name}", value)
    with pytest.raises(ConfigError, match="SAFEVLM_PLAYGROUND_COMPARE") as caught:
        read_settings()
    assert said in str(caught.value)


def test_log_levels_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEVLM_LOG_LEVEL", "INFO")
    assert read_settings().log_level == "info"


def test_the_default_checkpoint_is_found_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings().checkpoint == ROOT / "weights" / "safevlm-small"
    monkeypatch.setenv("SAFEVLM_CHECKPOINT", "weights/mine")
    assert read_settings().checkpoint == Path("weights/mine")
    monkeypatch.setenv("SAFEVLM_FALLBACK_CHECKPOINT", "weights/safevlm-nano")
    assert read_settings().fallback_checkpoint == ROOT / "weights" / "safevlm-nano"


def test_untrained_modules_need_more_than_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    for easy in ("true", "1", "yes"):
        monkeypatch.setenv("SAFEVLM_ALLOW_UNTRAINED", easy)
        with pytest.raises(ConfigError, match="SAFEVLM_ALLOW_UNTRAINED"):
            read_settings()
    monkeypatch.setenv("SAFEVLM_ALLOW_UNTRAINED", "yes-serve-although-nothing-is-guarded")
    assert read_settings().allows_untrained
