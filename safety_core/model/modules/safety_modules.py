"""The trained parts in one place: projector, head, the two token sets, and how they all start.

These, and only these, are in ``safety.safetensors``. Knows nothing of the backbone beyond its sizes.
Shapes: B batch · N image patches · V vision width · S safety tokens · M safety features · D LLM width · F features of
all of a sample's images.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.modules.attention import KeyValues
from safety_core.model.modules.head import HeadOutput, SafetyHead
from safety_core.model.modules.projector import SafetyProjector

TOKEN_STD = 0.02

TOKEN_NAMES = frozenset({"head_tokens_SD", "llm_tokens_SD", "query_D", "null_D", "place"})
"""Last names of the parameters that stand for tokens or places: drawn with ``TOKEN_STD``, and never decayed."""


class SafetyModules(nn.Module):
    """Projector, head and tokens for one backbone and one taxonomy.

    Args:
        dims: sizes of the backbone.
        config: sizes and switches; parts that are switched off do not exist.
        num_types: C.
        num_levels: L.

    Raises:
        ConfigError: the config asks for what such a backbone does not have.
    """

    def __init__(self, dims: BackboneDims, config: SafetyConfig, *, num_types: int, num_levels: int) -> None:
        super().__init__()
        self.dims = dims
        self.config = config
        self.projector: SafetyProjector | None = None
        self.head: SafetyHead | None = None
        self.head_tokens_SD: nn.Parameter | None = None
        self.llm_tokens_SD: nn.Parameter | None = None
        layers = config.layers_for(dims)
        if config.use_head:
            self.projector = SafetyProjector(dims, config.projector, num_layers=len(layers))
            self.head = SafetyHead(
                dims, config.head, num_types=num_types, num_levels=num_levels, grid=config.projector.grid
            )
            self.head_tokens_SD = nn.Parameter(torch.empty(config.num_safety_tokens, dims.llm_width))
        if config.use_llm_tokens:
            self.llm_tokens_SD = nn.Parameter(torch.empty(config.num_safety_tokens, dims.llm_width))

    def safe_features(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Vision layers → safe_BMD; raises ValueError where the head is switched off."""
        if self.projector is None:
            raise ValueError("the safety head is switched off in this configuration")
        # The tower may run in 16 bit; the modules do not.
        dtype = next(self.projector.parameters()).dtype
        safe_BMD: Tensor = self.projector([layer.to(dtype) for layer in layers_BNV])
        return safe_BMD

    def read(self, safe_BMD: Tensor) -> KeyValues:
        """What the head looks at in each image, for :meth:`judge`; raises ValueError where it is switched off."""
        if self.head is None:
            raise ValueError("the safety head is switched off in this configuration")
        return self.head.read(safe_BMD)

    def judge(
        self,
        prompt_BTD: Tensor | None,
        prompt_mask_BT: Tensor | None,
        safe: Tensor | KeyValues | None,
        safe_mask_BF: Tensor | None,
        *,
        prompt_of_B: Tensor | None = None,
        attention: bool = True,
    ) -> HeadOutput:
        """Run the head with its own tokens, arguments as of the head; ValueError where it is switched off."""
        if self.head is None or self.head_tokens_SD is None:
            raise ValueError("the safety head is switched off in this configuration")
        output: HeadOutput = self.head(
            prompt_BTD,
            prompt_mask_BT,
            safe,
            safe_mask_BF,
            self.head_tokens_SD,
            prompt_of_B=prompt_of_B,
            attention=attention,
        )
        return output

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None = None) -> "SafetyModules":
        """Set every parameter.

        ==========================  =============================================================
        both token sets             N(0, 0.02), as in the paper
        learned query, null, places N(0, 0.02)
        linear and 1x1 weights      N(0, 1 / fan_in)
        depthwise 3x3 weights       N(0, 2 / 9)
        weights that end a residual branch: context up, attention out, last of an MLP: half the standard deviation
        pooling scores, classifiers zero: a new head says "every class alike" and pools evenly
        norms                       weight one, bias zero
        every other bias, mixer     zero
        ==========================  =============================================================
        """
        for name, parameter in self.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            if leaf in TOKEN_NAMES:
                parameter.normal_(std=TOKEN_STD, generator=generator)
            elif leaf in {"bias", "scores"} or any(part in name for part in ("pooling.score", "classifier")):
                parameter.zero_()
            elif parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                depthwise = parameter.ndim == 4 and parameter.shape[1] == 1 and parameter.shape[-1] == 3
                fan_in = parameter[0].numel()
                std = math.sqrt((2.0 if depthwise else 1.0) / fan_in)
                ends_branch = name.endswith(("context.up.weight", ".out.weight", "body.2.weight"))
                parameter.normal_(std=std * (0.5 if ends_branch else 1.0), generator=generator)
        return self
