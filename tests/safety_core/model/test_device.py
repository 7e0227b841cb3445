import pytest

from safety_core.errors import ConfigError
from safety_core.model.device import pick_device


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="no CUDA"):
        pick_device("cuda")
    with pytest.raises(ConfigError, match="not a device"):
        pick_device("toaster")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert pick_device("auto").type == "cuda"
    assert pick_device("cuda:1").index == 1
