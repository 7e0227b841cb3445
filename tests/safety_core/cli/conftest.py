"""The commands work on what tests of their packages make."""

from tests.safety_core.evaluation.conftest import varied_suite
from tests.safety_core.nano.conftest import smoke
from tests.safety_core.training.conftest import data, untrained

__all__ = ["data", "smoke", "untrained", "varied_suite"]
