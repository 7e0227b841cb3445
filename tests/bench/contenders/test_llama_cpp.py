import sys
from pathlib import Path

import pytest

from bench.contenders import llama_cpp
from safety_core.small.parts.wheels import LANGUAGE_MODEL


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_cpp, "WHEEL_FOLDERS", (tmp_path,))
    assert "does not exist" in str(llama_cpp.find_absence(tmp_path / "python"))
    python = Path(sys.executable)
    assert LANGUAGE_MODEL.file in str(llama_cpp.find_absence(python))
    (tmp_path / LANGUAGE_MODEL.file).touch()
    if (absence := llama_cpp.find_absence(python)) is not None:
        assert "llama-cpp-python[server]" in absence
