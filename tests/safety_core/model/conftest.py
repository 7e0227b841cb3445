from pathlib import Path

import pytest
from PIL import Image

from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.model.config import BackboneDims
from safety_core.model.safe_llava import SafeLlava
from tests.helpers.tiny import IMAGE_SIZE


@pytest.fixture(scope="session")
def model(tiny_checkpoint: Path) -> SafeLlava:
    """Shared by all tests: do not change its weights."""
    return load_checkpoint(tiny_checkpoint)


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


def take_portable_kernels(model: SafeLlava) -> None:
    """On processors with AVX-512 bitsandbytes packs four-bit weights in blocks of 64, wider than the tests' model."""
    for module in model.backbone.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  torch types every attribute as a tensor
