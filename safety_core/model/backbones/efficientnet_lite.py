"""EfficientNet-Lite as a vision tower: a convolutional network whose final map is a grid of features.

Inverted residual blocks with ReLU6, without squeeze-excite, with TensorFlow's padding (Tan and Le, 2019, and the Lite
variants of 2020). Batch norms are folded into the convolutions before them (:func:`fold_batch_norm`), because a frozen
tower never updates them. Its hidden states are described in docs/adr/0042-hidden-states-of-a-convolutional-tower.md.
Knows no language model.
Shapes: B images · C channels · H, W height and width in pixels · h, w rows and columns of a map · N places of the final
map · V features of a place.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel, initialization
from transformers.modeling_outputs import BaseModelOutputWithPooling

from safety_core.model.backbones.efficientnet_lite_config import INNER_STAGES, STAGES, EfficientNetLiteConfig, Stage


class SameConvolution(nn.Conv2d):
    """A convolution whose output has the input's size divided by the stride, rounded up.

    Pads as TensorFlow does: evenly, or with one more row and column at the end.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width_in, width_out, kernel, stride=stride, groups=groups)

    def forward(self, x_BChw: Tensor) -> Tensor:
        """Apply the convolution to a map of any size."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x_BChw.shape[2:]]
        if any(total % 2 for total in missing):
            rows, columns = missing
            x_BChw = F.pad(x_BChw, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            missing = [0, 0]
        padding = [total // 2 for total in missing]
        return F.conv2d(x_BChw, self.weight, self.bias, self.stride, padding, 1, self.groups)


class InvertedResidual(nn.Module):
    """Widens its input, mixes neighbouring places in each channel, and narrows it again.

    Args:
        width_in: input channels.
        width_out: output channels.
        stage: shape of the block.
        stride: stride of the depthwise convolution.
    """

    def __init__(self, width_in: int, width_out: int, stage: Stage, *, stride: int) -> None:
        super().__init__()
        wide = width_in * stage.expansion
        self.expand = SameConvolution(width_in, wide, 1) if stage.expansion > 1 else None
        self.depthwise = SameConvolution(wide, wide, stage.kernel, stride=stride, groups=wide)
        self.project = SameConvolution(wide, width_out, 1)
        self.is_residual = stride == 1 and width_in == width_out

    def forward(self, x_BChw: Tensor) -> Tensor:
        """Apply the block to a map."""
        wide_BChw = x_BChw if self.expand is None else _limit(self.expand(x_BChw))
        y_BChw: Tensor = self.project(_limit(self.depthwise(wide_BChw)))
        return x_BChw + y_BChw if self.is_residual else y_BChw


class EfficientNetLiteModel(PreTrainedModel):
    """The tower, with its classifier, which is applied to each place of the final map."""

    config: EfficientNetLiteConfig
    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"
    input_modalities = ["image"]  # noqa: RUF012
    _no_split_modules = ["InvertedResidual"]  # noqa: RUF012
    # It has no attention, so it works with every kernel that is requested for a whole LLaVA.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.stem = SameConvolution(config.num_channels, config.stem_channels, 3, stride=2)
        self.stages = nn.ModuleList()
        width = config.stem_channels
        for stage, width_out, repeats in zip(STAGES, config.stage_channels, config.stage_repeats, strict=True):
            first = InvertedResidual(width, width_out, stage, stride=stage.stride)
            others = (InvertedResidual(width_out, width_out, stage, stride=1) for _ in range(repeats - 1))
            self.stages.append(nn.Sequential(first, *others))
            width = width_out
        self.head = SameConvolution(width, config.hidden_size, 1)
        self.classifier = nn.Linear(config.hidden_size, config.num_classes)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """Return the first layer."""
        return self.stem

    def forward(
        self,
        pixel_values: Tensor,
        output_hidden_states: bool | int | Sequence[int] | None = None,
        return_dict: bool | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """Compute the features of square images.

        Args:
            pixel_values: normalised images pixels_BCHW of any size from 32 pixels.
            output_hidden_states: whether to compute the other hidden states; also their indices, all are computed then.
            return_dict: False for a tuple.

        Returns:
            ``last_hidden_state`` feat_BNV; ``pooler_output``, its mean over the places, which the classifier was
            trained on; ``hidden_states``, three tensors of the shape of feat_BNV: the maps of inner stages, the class
            scores of each place, and feat_BNV.
        """
        # Convolutions of maps with channels last are faster on CPUs and on GPUs with tensor cores.
        pixels_BCHW = pixel_values.to(self.dtype, memory_format=torch.channels_last)  # cast as CLIP's tower does
        x_BChw = _limit(self.stem(pixels_BCHW))
        inner = []
        for index, stage in enumerate(self.stages):
            x_BChw = stage(x_BChw)
            if index in INNER_STAGES:
                inner.append(x_BChw)
        feat_BVhw = _limit(self.head(x_BChw))
        feat_BNV = _flatten_map(feat_BVhw)
        hidden = None
        if output_hidden_states is not None and output_hidden_states is not False:
            hidden = (self._concatenate(inner), self._classify(feat_BNV), feat_BNV)
        output = BaseModelOutputWithPooling(
            last_hidden_state=feat_BNV, pooler_output=feat_BNV.mean(1), hidden_states=hidden
        )
        return output.to_tuple() if return_dict is False else output

    def _concatenate(self, maps: Sequence[Tensor]) -> Tensor:
        """Pool maps to the size of the last one, and concatenate their channels to tensors of width V."""
        height, width = maps[-1].shape[2:]
        places_BChw = torch.cat([F.adaptive_avg_pool2d(map_BChw, (height, width)) for map_BChw in maps], dim=1)
        return self._pad(_flatten_map(places_BChw))

    def _classify(self, feat_BNV: Tensor) -> Tensor:
        """Compute the probability of each class at each place, in a tensor of width V."""
        return self._pad(self.classifier(feat_BNV).softmax(-1))

    def _pad(self, x_BNC: Tensor) -> Tensor:
        return F.pad(x_BNC, (0, self.config.hidden_size - x_BNC.shape[-1]))

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise a layer so that the scale of its input is kept (He et al., 2015)."""
        if isinstance(module, nn.Conv2d):
            initialization.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            initialization.normal_(module.weight, std=module.in_features**-0.5)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            initialization.zeros_(module.bias)


def fold_batch_norm(
    weight: Tensor, *, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Fold a batch norm, as it computes in evaluation, into the convolution without bias before it.

    Args:
        weight: weight of the convolution.
        scale: the norm's factor of each output channel.
        shift: the norm's summand of each output channel.
        mean: running mean of each channel.
        variance: running variance of each channel.
        epsilon: number added to the variance.

    Returns:
        Weight and bias of a convolution that computes the same.
    """
    factor = scale / torch.sqrt(variance + epsilon)
    return weight * factor.view(-1, 1, 1, 1), shift - mean * factor


def _limit(x_BChw: Tensor) -> Tensor:
    """Apply ReLU6 in place where autograd permits; the output of a convolution is not needed for its gradient."""
    return F.relu6(x_BChw, inplace=True)


def _flatten_map(x_BChw: Tensor) -> Tensor:
    """Convert a map to one row per place, in the order of lines of text."""
    return x_BChw.flatten(2).transpose(1, 2).contiguous()
