"""The trained modules: projector, head and the two token sets, with their initialisation.

``safety.safetensors`` holds exactly these. Knows nothing of the backbone but its sizes.
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
"""Last names of parameters that are token or position embeddings: initialised with ``TOKEN_STD``, never decayed."""


class SafetyModules(nn.Module):
    """Projector, head and tokens for one backbone and one taxonomy.

    Args:
        dims: sizes of the backbone.
        config: sizes and switches; modules that are switched off do not exist.
        num_types: number of risk types.
        num_levels: number of risk levels.

    Raises:
        ConfigError: the config does not fit a backbone of these sizes.
    """

    def __init__(self, dims: BackboneDims, config: SafetyConfig, *, num_types: int, num_levels: int) -> None:
        super().__init__()
        self.dims = dims
        self.config = config
        self.projector: SafetyProjector | None = None
        self.head: SafetyHead | None = None
        self.head_tokens_SD: nn.Parameter | None = None
        self.llm_tokens_SD: nn.Parameter | None = None
        layers = config.select_layers(dims)
        if config.use_head:
            self.projector = SafetyProjector(dims, config.projector, num_layers=len(layers))
            self.head = SafetyHead(
                dims, config.head, num_types=num_types, num_levels=num_levels, grid=config.projector.grid
            )
            self.head_tokens_SD = nn.Parameter(torch.empty(config.num_safety_tokens, dims.llm_width))
        if config.use_llm_tokens:
            self.llm_tokens_SD = nn.Parameter(torch.empty(config.num_safety_tokens, dims.llm_width))

    def project_features(self, layers_BNV: Sequence[Tensor]) -> Tensor:
        """Project vision layers to safe_BMD; raises ValueError if the head is switched off."""
        if self.projector is None:
            raise ValueError("the safety head is switched off in this configuration")
        # The tower may run in 16 bit; the modules run in 32.
        dtype = next(self.projector.parameters()).dtype
        safe_BMD: Tensor = self.projector([layer.to(dtype) for layer in layers_BNV])
        return safe_BMD

    def project_key_values(self, safe_BMD: Tensor) -> KeyValues:
        """Project features to the head's keys and values; raises ValueError if the head is switched off."""
        if self.head is None:
            raise ValueError("the safety head is switched off in this configuration")
        return self.head.project_key_values(safe_BMD)

    def judge(
        self,
        prompt_BTD: Tensor | None,
        prompt_mask_BT: Tensor | None,
        safe: Tensor | KeyValues | None,
        safe_mask_BF: Tensor | None,
        *,
        prompt_index_B: Tensor | None = None,
        need_attention: bool = True,
    ) -> HeadOutput:
        """Run the head with its own tokens, arguments as of the head; raises ValueError if it is switched off."""
        if self.head is None or self.head_tokens_SD is None:
            raise ValueError("the safety head is switched off in this configuration")
        output: HeadOutput = self.head(
            prompt_BTD,
            prompt_mask_BT,
            safe,
            safe_mask_BF,
            self.head_tokens_SD,
            prompt_index_B=prompt_index_B,
            need_attention=need_attention,
        )
        return output

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator | None = None) -> "SafetyModules":
        """Initialise every parameter.

        ==========================  =============================================================
        both token sets             N(0, 0.02), as in the paper
        query, null, positions      N(0, 0.02)
        linear and 1x1 weights      N(0, 1 / fan_in)
        depthwise 3x3 weights       N(0, 2 / 9)
        weights that end a residual branch: context up, attention out, last of an MLP: half the standard deviation
        pooling scores, classifiers zero: a new head gives every class the same probability and pools evenly
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
