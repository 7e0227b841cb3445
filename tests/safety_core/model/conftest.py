from pathlib import Path

import pytest
from PIL import Image

from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.config import BackboneDims
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.models.tiny import IMAGE_SIZE, attach_random_prompt_adapter, save_trained


@pytest.fixture(scope="session")
def model(tiny_checkpoint: Path) -> SafeLlava:
    """Shared by all tests: do not change its weights."""
    return load_checkpoint(tiny_checkpoint)


@pytest.fixture(scope="session")
def prompt_adapted_checkpoint(reading_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``reading_checkpoint``, with a prompt adapter; do not write into it."""
    model = load_checkpoint(reading_checkpoint)
    attach_random_prompt_adapter(model)
    return save_trained(model, tmp_path_factory.mktemp("adapted") / "tiny")


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Four pictures that differ in every patch."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return [
        Image.linear_gradient("L").resize(size).convert("RGB"),
        Image.radial_gradient("L").resize(size).convert("RGB"),
        Image.new("RGB", size, "red"),
        Image.effect_mandelbrot(size, (-2.0, -1.5, 1.0, 1.5), 20).convert("RGB"),
    ]


@pytest.fixture
def dims() -> BackboneDims:
    return BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2)
