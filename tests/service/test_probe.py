"""The container's health check against servers that are ready, not ready, or not there."""

import pytest

from service.probe import main
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.server.processes import find_free_port
from tests.helpers.server.threads import run_threaded_server


@pytest.mark.parametrize(("fake", "status"), [(FakeGuard(), 0), (FakeGuard(wrong="wrong"), 1)])
def test_it_says_whether_the_server_is_ready(fake: FakeGuard, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_threaded_server(fake) as url:
        monkeypatch.setenv("SAFEVLM_PORT", url.rsplit(":", 1)[1])
        assert main() == status


def test_nobody_listening_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEVLM_PORT", str(find_free_port()))
    assert main() == 1


def test_the_port_variable_of_a_kubernetes_service_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_threaded_server(FakeGuard()) as url:
        monkeypatch.setattr("service.probe._DEFAULT_PORT", int(url.rsplit(":", 1)[1]))
        monkeypatch.setenv("SAFEVLM_PORT", "tcp://10.96.0.17:9")
        assert main() == 0
