import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.suites.registry import SUITES, open_suite
from safety_core.evaluation.suites.suite import Suite, load_suite
from tests.helpers.datasets.suite_factory import SPEC, write_suite


def load_toy(cache: Path) -> Suite:
    return load_suite(write_suite(cache / "toy"))


def test_a_suite_is_loaded_by_its_name(tmp_path: Path) -> None:
    suite = open_suite("toy", tmp_path, suites={"toy": f"{__name__}:load_toy"})
    assert suite.spec == SPEC
    assert suite.path == tmp_path / "toy"


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'toi': not registered; the registered suites are a, toy"):
        open_suite("toi", tmp_path, suites={"toy": "x:y", "a": "x:y"})


@pytest.mark.parametrize("name", SUITES)
def test_every_registered_loader_exists(name: str) -> None:
    assert callable(resolve_name(SUITES[name]))


def test_the_registry_imports_no_suite_and_no_torch() -> None:
    program = (
        "import sys; import safety_core.evaluation.suites.registry; "
        "sys.exit(any(name == 'torch' or name.startswith('safety_core.nano') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
