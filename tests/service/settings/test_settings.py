"""Settings have careful defaults and do not change."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings
from service.settings.environment import read_settings


def test_defaults_are_careful() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.checkpoint == Path("weights/safevlm-small")
    assert not settings.allows_untrained
    assert settings.fallback_checkpoint is None
    assert settings.max_body_bytes >= settings.max_image_bytes
    assert settings.default_max_tokens <= settings.max_tokens


def test_settings_cannot_change_under_a_running_server() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1
