import pytest
import torch

from safety_core.errors import ConfigError
from safety_core.model.device import pick_device, pick_dtype


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


def test_precision_follows_the_device() -> None:
    assert pick_dtype("cpu") == torch.float32
    assert pick_dtype("cuda:1") == torch.bfloat16
