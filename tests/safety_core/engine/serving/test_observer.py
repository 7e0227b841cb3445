"""A failing observer is logged, and the work goes on."""

import pytest

from safety_core.engine.serving.observer import record_safely


def test_a_failure_is_logged_by_its_type_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("SECRET")

    record_safely(fail)
    assert "ValueError at test_observer.py" in caplog.text
    assert "SECRET" not in caplog.text


def test_what_works_is_called_once(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    record_safely(lambda: calls.append(1))
    assert calls == [1]
    assert not caplog.records
