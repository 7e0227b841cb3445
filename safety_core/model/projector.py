"""The safety projector: the picture's features as the safety head reads them.

A C-Abstractor rebuilt without timm: a residual convolution stage, an adaptive pool to the output grid, a second stage
and a two-layer MLP, all row-major over the patch grid, so a safety feature still stands for its place in the picture.
Knows nothing of prompts, tokens or risk.
Shapes: B batch · N image patches · h, w rows and columns of a map · V vision width · H hidden width · C channels ·
M safety features · D LLM width.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from safety_core.model.config import BackboneDims, ProjectorConfig


class SafetyProjector(nn.Module):
    """feat_BNV (one tensor per configured vision layer) → safe_BMD.

    Args:
        dims: sizes of the backbone.
        config: sizes of the projector.
        num_layers: how many vision layers are mixed; one is read as it is.
    """

    def __init__(self, dims: BackboneDims, config: ProjectorConfig, *, num_layers: int = 1) -> None:
        super().__init__()
        self.patch_grid = dims.patch_grid
        self.mixer = LayerMixer(num_layers) if num_layers > 1 else None
        self.stage_in = _stage(dims.vision_width, config)
        self.grid = config.grid
        self.stage_out = _stage(config.hidden, config)
        self.readout = nn.Sequential(
            nn.Linear(config.hidden, dims.llm_width), nn.SiLU(), nn.Linear(dims.llm_width, dims.llm_width)
        )

    def forward(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Project one image a row; raises ValueError if the patches are not the backbone's square grid."""
        num_layers = 1 if self.mixer is None else len(self.mixer.scores)
        if len(layers_BNV) != num_layers:
            raise ValueError(f"{len(layers_BNV)} vision layers were given, {num_layers} are mixed")
        feat_BNV = layers_BNV[0] if self.mixer is None else self.mixer(layers_BNV)
        batch, patches, width = feat_BNV.shape
        if patches != self.patch_grid**2:
            raise ValueError(f"{patches} patches were given, a grid of {self.patch_grid}x{self.patch_grid} is needed")
        feat_BhwV = feat_BNV.reshape(batch, self.patch_grid, self.patch_grid, width)
        safe_BhwH = self.stage_out(self._pooled(self.stage_in(feat_BhwV)))
        safe_BMD: Tensor = self.readout(safe_BhwH.flatten(1, 2))
        return safe_BMD

    def _pooled(self, x_BhwH: Tensor) -> Tensor:
        """The map on the output grid."""
        if self.grid == self.patch_grid:
            return x_BhwH
        pooled_BHhw = F.adaptive_avg_pool2d(x_BhwH.permute(0, 3, 1, 2), self.grid)
        return pooled_BHhw.permute(0, 2, 3, 1)


class LayerMixer(nn.Module):
    """Softmax-weighted mean of several vision layers, each first normalised so that no layer wins by its scale."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(num_layers))

    def forward(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Mix ``num_layers`` tensors feat_BNV into one."""
        stacked_LBNV = torch.stack([F.layer_norm(feat, feat.shape[-1:]) for feat in layers_BNV])
        return torch.einsum("l,lbnv->bnv", self.scores.softmax(0), stacked_LBNV)


class Bottleneck(nn.Module):
    """RegNet block, bottleneck ratio 1: 1x1, depthwise 3x3, squeeze-excite, 1x1, around a (projected) shortcut."""

    def __init__(self, width_in: int, width_out: int, se_ratio: float) -> None:
        super().__init__()
        self.expand = nn.Sequential(Conv1x1(width_in, width_out, bias=False), nn.LayerNorm(width_out), nn.SiLU())
        self.spatial = nn.Sequential(Depthwise3x3(width_out), nn.LayerNorm(width_out), nn.SiLU())
        self.excite = SqueezeExcite(width_out, max(1, round(width_in * se_ratio)))
        self.reduce = nn.Sequential(Conv1x1(width_out, width_out, bias=False), nn.LayerNorm(width_out))
        self.shortcut = (
            nn.Identity()
            if width_in == width_out
            else nn.Sequential(Conv1x1(width_in, width_out, bias=False), nn.LayerNorm(width_out))
        )

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """One residual step on a feature map."""
        if torch.is_inference_mode_enabled():
            return self._infer(x_BhwC)
        return F.silu(self.reduce(self.excite(self.spatial(self.expand(x_BhwC)))) + self.shortcut(x_BhwC))

    def _infer(self, x_BhwC: Tensor) -> Tensor:
        """:meth:`forward` without module calls, and in place on its own intermediate results.

        One picture's maps are so small that allocation and Python cost as much as arithmetic. Autograd needs the
        intermediate results, so this is for inference mode only.
        """
        y_BhwC = F.silu(_infer_norm(self.expand[1], self.expand[0].forward(x_BhwC)), inplace=True)
        y_BhwC = F.silu(_infer_norm(self.spatial[1], self.spatial[0].forward(y_BhwC)), inplace=True)
        y_BhwC = self.excite.scale_(y_BhwC)
        y_BhwC = _infer_norm(self.reduce[1], self.reduce[0].forward(y_BhwC))
        y_BhwC += self.shortcut(x_BhwC)
        return F.silu(y_BhwC, inplace=True)


class SqueezeExcite(nn.Module):
    """Scale every channel by a gate computed from the picture's mean."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            PictureMean(), Conv1x1(width, squeezed), nn.SiLU(), Conv1x1(squeezed, width), nn.Sigmoid()
        )

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Gate the channels."""
        gated: Tensor = x_BhwC * self.gate(x_BhwC)
        return gated

    def scale_(self, x_BhwC: Tensor) -> Tensor:
        """:meth:`forward` in place, without module calls."""
        mean_B11C = x_BhwC.mean((1, 2), keepdim=True)
        squeezed_B11C = F.silu(self.gate[1].forward(mean_B11C), inplace=True)
        x_BhwC *= self.gate[3].forward(squeezed_B11C).sigmoid_()
        return x_BhwC


class PictureMean(nn.Module):
    """The mean over all places of each channel, as a map of one place."""

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """x_BhwC → x_B11C."""
        return x_BhwC.mean((1, 2), keepdim=True)


class Conv1x1(nn.Conv2d):
    """A 1x1 convolution of maps whose channels come last: a matrix product, without a copy of the map."""

    def __init__(self, width_in: int, width_out: int, *, bias: bool = True) -> None:
        super().__init__(width_in, width_out, 1, bias=bias)

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Mix the channels of each place."""
        return F.linear(x_BhwC, self.weight.flatten(1), self.bias)


class Depthwise3x3(nn.Conv2d):
    """A 3x3 convolution of each channel by itself, channels last."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1, groups=width, bias=False)

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Mix neighbouring places."""
        return super().forward(x_BhwC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _infer_norm(norm: nn.Module, x_BhwC: Tensor) -> Tensor:
    """A layer norm without its module's call."""
    assert isinstance(norm, nn.LayerNorm)
    return torch.layer_norm(x_BhwC, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _stage(width_in: int, config: ProjectorConfig) -> nn.Sequential:
    widths = (width_in, *(config.hidden for _ in range(config.depth)))
    return nn.Sequential(*(Bottleneck(before, after, config.se_ratio) for before, after in pairwise(widths)))
