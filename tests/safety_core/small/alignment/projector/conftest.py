from pathlib import Path

import pytest

from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models.tiny_alignment import make_bare_model


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> SafeLlava:
    """A bare model that tests leave as it is."""
    return make_bare_model(tmp_path_factory.mktemp("bare") / "backbone")


@pytest.fixture
def model(tmp_path: Path) -> SafeLlava:
    """A bare model of one test."""
    return make_bare_model(tmp_path / "backbone")
