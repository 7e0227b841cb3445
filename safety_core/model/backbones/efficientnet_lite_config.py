"""Configuration of :mod:`efficientnet_lite`, in the form of transformers. Knows no torch."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from transformers import PreTrainedConfig

_DIVISOR = 8
"""Numbers of channels are multiples of this."""

_HALVINGS = 5
"""Number of layers with stride 2: the stem, and the first block of four stages."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of equal shape. Only the first block changes the size of the map and the number of channels."""

    repeats: int
    """Number of blocks before scaling."""

    kernel: int
    """Side of the depthwise kernel."""

    stride: int
    """Stride of the first block."""

    expansion: int
    """Factor by which a block widens its input for the depthwise convolution."""

    channels: int
    """Number of output channels before scaling."""


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

INNER_STAGES = (2, 4, 5, 6)
"""Indices of the stages whose maps are the first hidden state: small structures, parts, whole things."""


class EfficientNetLiteConfig(PreTrainedConfig):
    """Sizes of an EfficientNet-Lite; the defaults are those of Lite2.

    Raises:
        ValueError: the image is too small or too large, or the maps or the classes are wider than the features.
    """

    model_type = "efficientnet_lite"

    image_size: int = 260
    """Side in pixels of the images that the tower was trained on; it accepts other sizes from 32 pixels."""

    num_channels: int = 3
    """Number of colours."""

    width_coefficient: float = 1.1
    """Factor of the numbers of channels, except those of stem and head."""

    depth_coefficient: float = 1.2
    """Factor of the numbers of blocks, except those of the first and the last stage."""

    stem_channels: int = 32
    """Number of channels after the first convolution."""

    hidden_size: int = 1280
    """V: number of features of each place."""

    num_classes: int = 1000
    """Number of classes of the classifier."""

    num_hidden_layers: int = 2
    """Number of hidden states after the first; always 2: the inner maps are followed by class scores and features."""

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]
        if self.num_hidden_layers != 2:
            raise ValueError(f"num_hidden_layers: must be 2, got {self.num_hidden_layers}")
        if self.image_size < 32 or self.image_size // self.patch_size != self.map_side:
            raise ValueError(f"image_size: {self.image_size} pixels cannot be divided into a map")
        inner = sum(self.stage_channels[index] for index in INNER_STAGES)
        if max(inner, self.num_classes) > self.hidden_size:
            raise ValueError(f"hidden_size: {inner} channels and {self.num_classes} classes must fit into it")

    @property
    def map_side(self) -> int:
        """Places along one side of the final map of an image of the configured size."""
        side: int = -(-self.image_size // 2**_HALVINGS)
        return side

    @property
    def patch_size(self) -> int:
        """Side in pixels of the part of the image that a place stands for; 28 at 260 pixels."""
        return self.image_size // self.map_side

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return tuple(round_channels(self.width_coefficient * stage.channels) for stage in STAGES)

    @property
    def stage_repeats(self) -> tuple[int, ...]:
        """Number of blocks of each stage; the first and the last stage are not scaled."""
        inner = (ceil(self.depth_coefficient * stage.repeats) for stage in STAGES[1:-1])
        return (STAGES[0].repeats, *inner, STAGES[-1].repeats)


def round_channels(channels: float) -> int:
    """Round to the nearest multiple of 8, but by at most a tenth downwards."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + _DIVISOR
