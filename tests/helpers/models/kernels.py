"""Chooses quantization kernels that fit the width of the tests' models."""

from safety_core.model.safe_llava import SafeLlava


def use_portable_kernels(model: SafeLlava) -> None:
    """Turn off kernels for AVX-512: bitsandbytes packs their four-bit weights in blocks of 64, wider than the model."""
    for module in model.backbone.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  torch types every attribute as a tensor
