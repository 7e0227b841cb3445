import os
import subprocess
import sys

import pytest

from service.server.openmp import SPIN_COUNT, SPIN_COUNT_VARIABLE, limit_spinning


@pytest.mark.parametrize(("operator", "expected"), [(None, SPIN_COUNT), ("7", "7")])
def test_helpers_spin_briefly_unless_the_operator_says_otherwise(
    operator: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPIN_COUNT_VARIABLE, operator or "")
    if operator is None:
        monkeypatch.delenv(SPIN_COUNT_VARIABLE)
    limit_spinning()
    assert os.environ[SPIN_COUNT_VARIABLE] == expected


def test_it_is_said_before_torch_is_loaded() -> None:
    """OpenMP reads it once, when it is loaded."""
    script = "import sys, service.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
