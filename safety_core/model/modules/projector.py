"""The safety projector: converts an image's features to the safety features that the head reads.

A C-Abstractor implemented without timm: a residual convolution stage, adaptive pooling to the output grid, a second
stage and a two-layer MLP, all row-major over the patch grid, so that each safety feature has a place in the image.
Knows nothing of prompts, tokens or risk.
Shapes: B batch · N image patches · h, w rows and columns of a map · V vision width · L vision layers · H hidden width ·
C channels · M safety features · D LLM width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from safety_core.model.config import BackboneDims, ProjectorConfig
from safety_core.model.modules.derived_values import DerivedViews

M = TypeVar("M", bound=nn.Module)


class SafetyProjector(nn.Module):
    """Converts feat_BNV (one tensor per configured vision layer) to safe_BMD.

    Args:
        dims: sizes of the backbone.
        config: sizes of the projector.
        num_layers: L, number of vision layers, which are mixed as the config says; a single one is used unchanged.
    """

    def __init__(self, dims: BackboneDims, config: ProjectorConfig, *, num_layers: int = 1) -> None:
        super().__init__()
        self.patch_grid = dims.patch_grid
        self.num_layers = num_layers
        self.mixer: LayerMixer | LayerConcatenator | None = None
        width = dims.vision_width
        if num_layers > 1 and config.mixing == "concatenate":
            self.mixer, width = LayerConcatenator(), num_layers * width
        elif num_layers > 1:
            self.mixer = LayerMixer(num_layers)
        self.stage_in = _build_stage(width, config)
        self.grid = config.grid
        self.stage_out = _build_stage(config.hidden, config)
        self.readout = nn.Sequential(
            nn.Linear(config.hidden, dims.llm_width), nn.SiLU(), nn.Linear(dims.llm_width, dims.llm_width)
        )
        self._blocks: DerivedViews[tuple[list[InferenceBlock], list[InferenceBlock]]] = DerivedViews()

    def forward(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Project one image per row; raises ValueError if the number of layers or patches is not the configured one."""
        if len(layers_BNV) != self.num_layers:
            raise ValueError(f"{len(layers_BNV)} vision layers were given, {self.num_layers} are needed")
        feat_BNV = layers_BNV[0] if self.mixer is None else self.mixer(layers_BNV)
        batch, patches, width = feat_BNV.shape
        if patches != self.patch_grid**2:
            raise ValueError(f"{patches} patches were given, a grid of {self.patch_grid}x{self.patch_grid} is needed")
        if torch.is_inference_mode_enabled():
            return self._infer(feat_BNV)
        feat_BhwV = feat_BNV.reshape(batch, self.patch_grid, self.patch_grid, width)
        safe_BhwH = self.stage_out(self._pool(self.stage_in(feat_BhwV)))
        safe_BMD: Tensor = self.readout(safe_BhwH.flatten(1, 2))
        return safe_BMD

    def _infer(self, feat_BNV: Tensor) -> Tensor:
        """Compute :meth:`forward` without module calls, see :class:`InferenceBlock`."""
        parameters = [*_list_parameters(self.stage_in), *_list_parameters(self.stage_out)]
        stage_in, stage_out = self._blocks.get(parameters, self._build_inference_blocks)
        x_BhwC = feat_BNV.unflatten(1, (self.patch_grid, self.patch_grid))
        for block in stage_in:
            x_BhwC = block(x_BhwC)
        x_BhwC = self._pool(x_BhwC)
        for block in stage_out:
            x_BhwC = block(x_BhwC)
        safe_BMD: Tensor = self.readout(x_BhwC.flatten(1, 2))
        return safe_BMD

    def _build_inference_blocks(self) -> "tuple[list[InferenceBlock], list[InferenceBlock]]":
        return [InferenceBlock(block) for block in self.stage_in], [InferenceBlock(block) for block in self.stage_out]

    def _pool(self, x_BhwH: Tensor) -> Tensor:
        """Pool a map to the output grid."""
        if self.grid == self.patch_grid:
            return x_BhwH
        pooled_BHhw = F.adaptive_avg_pool2d(x_BhwH.permute(0, 3, 1, 2), self.grid)
        return pooled_BHhw.permute(0, 2, 3, 1)


class LayerMixer(nn.Module):
    """Softmax-weighted mean of several vision layers, each normalised first, so that scale does not matter."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(num_layers))

    def forward(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Mix ``num_layers`` tensors feat_BNV to one."""
        stacked_LBNV = torch.stack([F.layer_norm(feat, feat.shape[-1:]) for feat in layers_BNV])
        return torch.einsum("l,lbnv->bnv", self.scores.softmax(0), stacked_LBNV)


class LayerConcatenator(nn.Module):
    """Concatenates the channels of several vision layers, each normalised first, so that scale does not matter."""

    def forward(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Concatenate L tensors feat_BNV to one that is L * V wide."""
        return torch.cat([F.layer_norm(feat, feat.shape[-1:]) for feat in layers_BNV], dim=-1)


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
        """Apply the block to a feature map."""
        return F.silu(self.reduce(self.excite(self.spatial(self.expand(x_BhwC)))) + self.shortcut(x_BhwC))


class SqueezeExcite(nn.Module):
    """Scales every channel by a gate computed from the mean over all places."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            GlobalMeanPool(), Conv1x1(width, squeezed), nn.SiLU(), Conv1x1(squeezed, width), nn.Sigmoid()
        )

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Gate the channels."""
        gated: Tensor = x_BhwC * self.gate(x_BhwC)
        return gated


class GlobalMeanPool(nn.Module):
    """The mean of each channel over all places, as a map of one place."""

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Convert x_BhwC to x_B11C."""
        return x_BhwC.mean((1, 2), keepdim=True)


class Conv1x1(nn.Conv2d):
    """A 1x1 convolution of maps with channels last: a matrix product, without a copy of the map."""

    def __init__(self, width_in: int, width_out: int, *, bias: bool = True) -> None:
        super().__init__(width_in, width_out, 1, bias=bias)

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Mix the channels of each place."""
        return F.linear(x_BhwC, self.weight.flatten(1), self.bias)


class Depthwise3x3(nn.Conv2d):
    """A depthwise 3x3 convolution of maps with channels last."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1, groups=width, bias=False)

    def forward(self, x_BhwC: Tensor) -> Tensor:
        """Mix neighbouring places."""
        return super().forward(x_BhwC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class InferenceBlock:
    """A :class:`Bottleneck` for inference: the same arithmetic on views of its parameters, without module calls.

    One image's maps are so small that module calls, attribute lookups and allocation take a quarter of the time.
    Overwrites its intermediate results, which autograd would need.

    Raises:
        TypeError: the block or one of its layers was replaced by, or wrapped in, a module of another class.
    """

    def __init__(self, block: nn.Module) -> None:
        block = _expect(Bottleneck, block)
        self._expand, self._expand_norm = _get_matrix(block.expand[0]), _get_norm(block.expand[1])
        self._kernel, self._spatial_norm = (
            _get_view(_expect(Depthwise3x3, block.spatial[0]).weight),
            _get_norm(block.spatial[1]),
        )
        self._squeeze, self._squeeze_bias = _get_matrix(block.excite.gate[1]), _get_bias(block.excite.gate[1])
        self._unsqueeze, self._unsqueeze_bias = _get_matrix(block.excite.gate[3]), _get_bias(block.excite.gate[3])
        self._reduce, self._reduce_norm = _get_matrix(block.reduce[0]), _get_norm(block.reduce[1])
        self._shortcut = None
        if isinstance(block.shortcut, nn.Sequential):
            self._shortcut = _get_matrix(block.shortcut[0]), _get_norm(block.shortcut[1])

    def __call__(self, x_BhwC: Tensor) -> Tensor:
        """Apply the block to a feature map."""
        batch, height, width, _ = x_BhwC.shape
        channels = self._kernel.shape[0]
        x_PC = x_BhwC.flatten(0, 2)  # P: every place of every map
        y_PC = F.silu(torch.layer_norm(torch.mm(x_PC, self._expand), *self._expand_norm), inplace=True)
        y_BChw = y_PC.view(batch, height, width, channels).permute(0, 3, 1, 2)
        y_BChw = torch.conv2d(y_BChw, self._kernel, padding=1, groups=channels)
        y_BhwC = torch.layer_norm(y_BChw.permute(0, 2, 3, 1), *self._spatial_norm)
        y_BMC = F.silu(y_BhwC, inplace=True).flatten(1, 2)
        squeezed_BC = F.silu(torch.addmm(self._squeeze_bias, y_BMC.mean(1), self._squeeze), inplace=True)
        y_BMC *= torch.addmm(self._unsqueeze_bias, squeezed_BC, self._unsqueeze).sigmoid_()[:, None]
        y_PC = torch.layer_norm(torch.mm(y_BMC.flatten(0, 1), self._reduce), *self._reduce_norm)
        if self._shortcut is None:
            y_PC += x_PC
        else:
            weight_CE, norm = self._shortcut
            y_PC += torch.layer_norm(torch.mm(x_PC, weight_CE), *norm)
        return F.silu(y_PC, inplace=True).view(batch, height, width, channels)


def _list_parameters(module: nn.Module) -> list[Tensor]:
    """List all parameters of a module, in a tenth of the time of ``Module.parameters``."""
    parameters: list[Tensor] = []
    waiting: list[nn.Module | None] = [module]
    while waiting:
        one = waiting.pop()
        if one is not None:
            parameters += [parameter for parameter in one._parameters.values() if parameter is not None]
            waiting += one._modules.values()
    return parameters


def _expect(kind: type[M], module: nn.Module) -> M:
    if not isinstance(module, kind):
        raise TypeError(f"the safety projector needs a {kind.__name__} here, not a {type(module).__name__}")
    return module


def _get_view(parameter: Tensor | None) -> Tensor:
    if not isinstance(parameter, nn.Parameter):
        raise TypeError("every weight of the safety projector must be a parameter, not a computed tensor")
    return parameter.detach()


def _get_matrix(conv: nn.Module) -> Tensor:
    """Return the weight of a 1x1 convolution as a right factor."""
    return _get_view(_expect(Conv1x1, conv).weight).flatten(1).t()


def _get_bias(conv: nn.Module) -> Tensor:
    return _get_view(_expect(Conv1x1, conv).bias)


def _get_norm(norm: nn.Module) -> tuple[tuple[int, ...], Tensor, Tensor, float]:
    """Return the arguments of torch's layer norm."""
    norm = _expect(nn.LayerNorm, norm)
    return norm.normalized_shape, _get_view(norm.weight), _get_view(norm.bias), norm.eps


def _build_stage(width_in: int, config: ProjectorConfig) -> nn.Sequential:
    widths = (width_in, *(config.hidden for _ in range(config.depth)))
    return nn.Sequential(*(Bottleneck(before, after, config.se_ratio) for before, after in pairwise(widths)))
