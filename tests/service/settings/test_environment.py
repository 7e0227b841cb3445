"""Settings come from the environment, and typing mistakes are reported."""

from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from service.settings import Settings
from service.settings.environment import read_settings


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEVLM_PORT", "9001")
    monkeypatch.setenv("SAFEVLM_EXPOSE_RISK", "false")
    monkeypatch.setenv("SAFEVLM_MAX_IMAGE_PIXELS", "1000")
    monkeypatch.setenv("SAFEVLM_POLICY", "/etc/policy.yaml")
    settings = read_settings()
    assert (settings.port, settings.expose_risk, settings.policy) == (9001, False, Path("/etc/policy.yaml"))
    assert settings.image_limits.max_pixels == 1000


def test_a_typing_mistake_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEVLM_EXPOSE_RSIK", "false")
    with pytest.raises(ConfigError, match="SAFEVLM_EXPOSE_RSIK"):
        read_settings()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("EXPOSE_RSIK", "EXPOSE_RISK"), ("PROT", "PORT"), ("API_KEY_FILE", "API_KEYS_FILE"), ("POLICIES", None)],
)
def test_a_typing_mistake_is_told_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str | None
) -> None:
    monkeypatch.setenv(f"SAFEVLM_{written}", "SECRET")
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert f"SAFEVLM_{written}" in str(caught.value)
    assert (f"did you mean SAFEVLM_{meant}?" in str(caught.value)) == (meant is not None)
    assert "SECRET" not in str(caught.value)


def service_links(service: str, host: str = "10.96.0.17") -> dict[str, str]:
    """What Kubernetes gives every pod of a namespace for a service with a named and an unnamed port."""
    name = service.upper().replace("-", "_")
    shown = f"[{host}]" if ":" in host else host
    links = {
        f"{name}_SERVICE_HOST": host,
        f"{name}_SERVICE_PORT": "8000",
        f"{name}_SERVICE_PORT_HTTP": "8000",
        f"{name}_PORT": f"tcp://{shown}:8000",
    }
    for port, protocol in ((8000, "TCP"), (9090, "UDP")):
        place = f"{name}_PORT_{port}_{protocol}"
        links |= {
            place: f"{protocol.lower()}://{shown}:{port}",
            f"{place}_PROTO": protocol.lower(),
            f"{place}_PORT": str(port),
            f"{place}_ADDR": host,
        }
    return links


@pytest.mark.parametrize("host", ["10.96.0.17", "fd00:10:96::a1"])
@pytest.mark.parametrize("service", ["safevlm-guard", "safevlm", "safevlm-7b", "safevlm-max-requests", "safevlm-port"])
def test_variables_of_kubernetes_services_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, service: str, host: str
) -> None:
    for name, value in service_links(service, host).items():
        monkeypatch.setenv(name, value)
    assert read_settings() == Settings(port=8000)
    monkeypatch.setenv("SAFEVLM_HOST", "0.0.0.0")
    assert read_settings().host == "0.0.0.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAFEVLM_PORT", "tcp://"),
        ("SAFEVLM_PORT", "http://10.0.0.1:8000"),
        ("SAFEVLM_PORT", "tcp://10.0.0.1:8000/path"),
        ("SAFEVLM_GUARD_PORT", "8000"),
        ("SAFEVLM_GUARD_SERVICE_HOST", "yes"),
        ("SAFEVLM_GUARD_SERVICE_PORT", "many"),
        ("SAFEVLM_MAX_REQUESTS_PORT", "9"),
    ],
)
def test_what_only_looks_like_such_a_variable_is_still_heard(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        read_settings()


def test_malformed_values_are_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFEVLM_PORT", "SECRET")
    monkeypatch.setenv("SAFEVLM_MAX_IMAGES", "0")
    with pytest.raises(ConfigError) as caught:
        read_settings()
    assert "SAFEVLM_PORT" in str(caught.value)
    assert "SAFEVLM_MAX_IMAGES" in str(caught.value)
    assert "SECRET" not in str(caught.value)
