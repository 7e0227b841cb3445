"""Registers the towers of this package with transformers, so that its ``Auto`` classes find them by their type."""

from transformers import AutoConfig, AutoModel

from safety_core.model.backbones.efficientnet_lite import EfficientNetLiteModel
from safety_core.model.backbones.efficientnet_lite_config import EfficientNetLiteConfig


def register_towers() -> None:
    """Register every tower; may be called repeatedly."""
    AutoConfig.register(EfficientNetLiteConfig.model_type, EfficientNetLiteConfig, exist_ok=True)
    AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel, exist_ok=True)
