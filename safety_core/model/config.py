"""Shapes and switches of the safety modules, and their JSON form in ``safevlm.json``.

Every width is derived from :class:`BackboneDims`; no width is a constant. Knows no torch.
Shapes: N image patches · V vision width · D LLM width · S safety tokens · M safety features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from safety_core.errors import ConfigError
from safety_core.strict_json import StrictModel, parse_model

if TYPE_CHECKING:
    from transformers import LlavaConfig

Pooling = Literal["attention", "first_token"]
Fusion = Literal["block", "bare"]
Mixing = Literal["mean", "concatenate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneDims:
    """Sizes of a backbone that the safety modules depend on.

    Raises:
        ConfigError: a size is not positive or the default layers lie outside the tower.
    """

    vision_width: int
    """V: width of the vision tower's hidden states."""

    llm_width: int
    """D: width of the language model's input embeddings."""

    patch_grid: int
    """Patches along one side of the image; N is its square."""

    vision_depth: int
    """Number of hidden states of the vision tower after the first: the layers of a transformer."""

    vision_layers: tuple[int, ...] = (-2,)
    """Hidden states that LLaVA itself reads, as indices into the tower's ``vision_depth + 1`` hidden states."""

    def __post_init__(self) -> None:
        for name in ("vision_width", "llm_width", "patch_grid", "vision_depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"dims.{name}: must be positive, got {getattr(self, name)}")
        check_layers(self.vision_layers, self.vision_depth, where="dims.vision_layers")

    @property
    def patches(self) -> int:
        """N: number of image patches."""
        return self.patch_grid**2

    @classmethod
    def read_config(cls, config: LlavaConfig) -> BackboneDims:
        """Read the sizes from a ``LlavaConfig``; raises ConfigError if a size is missing or impossible."""
        # transformers types its sub-configs as "dict or config or None"; a built LlavaConfig holds configs.
        vision: Any = config.vision_config
        text: Any = config.text_config
        layers = config.vision_feature_layer
        try:
            return cls(
                vision_width=vision.hidden_size,
                llm_width=text.hidden_size,
                patch_grid=vision.image_size // vision.patch_size,
                vision_depth=vision.num_hidden_layers,
                vision_layers=(layers,) if isinstance(layers, int) else tuple(layers),
            )
        except AttributeError as exc:
            raise ConfigError(f"the backbone's config has no {exc.name}: its tower is not one of a LLaVA") from exc
        except (ArithmeticError, TypeError, ValueError) as exc:
            raise ConfigError(f"the backbone's config has sizes that no LLaVA can have ({type(exc).__name__})") from exc

    @classmethod
    def parse(cls, data: object) -> BackboneDims:
        """Parse the ``dims`` object of ``safevlm.json``; raises ConfigError if it is malformed."""
        values = dict(parse_model(_DimsFields, data, where="dims"))
        return cls(**values | {"vision_layers": tuple(values["vision_layers"])})

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that :meth:`parse` reads."""
        return asdict(self) | {"vision_layers": list(self.vision_layers)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectorConfig:
    """Shape of the safety projector, a C-Abstractor as in the paper."""

    hidden: int
    """Width of the convolution stages; 17/16 of V in the paper."""

    grid: int
    """Side of the output grid: M = grid * grid safety features per image."""

    depth: int = 3
    """Residual blocks in each of the two stages."""

    se_ratio: float = 0.25
    """Squeeze-excite width, as a fraction of the block's input width."""

    mixing: Mixing = "mean"
    """How several vision layers become one map: ``mean``, weighted by learned scores, or ``concatenate`` (L * V wide);
    each layer is normalised first."""

    def __post_init__(self) -> None:
        if self.mixing not in get_args(Mixing):
            raise ConfigError(f"config.projector.mixing: must be one of {list(get_args(Mixing))}, got {self.mixing!r}")
        if self.hidden < 1 or self.grid < 1 or self.depth < 1:
            raise ConfigError("config.projector: hidden, grid and depth must be positive")
        if not 0.0 < self.se_ratio <= 1.0:
            raise ConfigError(f"config.projector.se_ratio: must lie in (0, 1], got {self.se_ratio}")

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form; ``mixing`` is omitted if it is the default, so that older code can read the file."""
        values = asdict(self)
        if self.mixing == "mean":
            del values["mixing"]
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Shape of the safety head.

    Raises:
        ConfigError: a count is negative, or the context width is not divisible into heads of even width.
    """

    num_heads: int = 8
    """Attention heads, in the cross-attention and in the context layers."""

    context_layers: int = 1
    """Residual self-attention blocks over the queries before the cross-attention; without them, order is ignored."""

    context_width: int = 0
    """Reduced width of the context layers; 0 only without context layers."""

    fusion: Fusion = "block"
    """``block``: pre-norm cross-attention and MLP with residuals; ``bare``: cross-attention alone, as published."""

    fusion_width: int = 0
    """Hidden width of the MLP after the cross-attention; used by ``block`` only."""

    pooling: Pooling = "attention"
    """``attention``: learned pooling over all queries; ``first_token``: the learned query alone, as published."""

    dropout: float = 0.0
    """Dropout in the context and fusion blocks during training."""

    def __post_init__(self) -> None:
        if self.fusion not in get_args(Fusion):
            raise ConfigError(f"config.head.fusion: must be one of {list(get_args(Fusion))}, got {self.fusion!r}")
        if self.pooling not in get_args(Pooling):
            raise ConfigError(f"config.head.pooling: must be one of {list(get_args(Pooling))}, got {self.pooling!r}")
        if self.num_heads < 1 or self.context_layers < 0 or not 0.0 <= self.dropout < 1.0:
            raise ConfigError("config.head: num_heads must be positive, context_layers >= 0, dropout in [0, 1)")
        if self.context_layers and (self.context_width < 1 or self.context_width % (2 * self.num_heads)):
            raise ConfigError(
                f"config.head.context_width: {self.context_width} must be {self.num_heads} times an even number"
            )
        if self.fusion == "block" and self.fusion_width < 1:
            raise ConfigError("config.head.fusion_width: must be positive when fusion is 'block'")

    @classmethod
    def create_reference(cls, num_heads: int = 8) -> HeadConfig:
        """Create the published reference's head: no context layers, attention alone, pooled from the first position."""
        return cls(num_heads=num_heads, context_layers=0, fusion="bare", pooling="first_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyConfig:
    """Configuration of the safety modules; the backbone and the taxonomy determine the remaining sizes."""

    num_safety_tokens: int
    """S: learned tokens in each of the two sets (64 in the paper)."""

    projector: ProjectorConfig
    """Shape of the safety projector."""

    head: HeadConfig
    """Shape of the safety head."""

    vision_layers: tuple[int, ...] | None = None
    """Hidden states that the safety projector reads; None for those that LLaVA itself reads."""

    use_llm_tokens: bool = True
    """Whether the second token set is inserted into the language model's input before each image."""

    use_head: bool = True
    """Whether projector and head exist; off only in ablations, without any verdicts."""

    prompt_layers: int = 0
    """k: the head reads the user's words as hidden states after the language model's first k layers; 0 for the input
    embeddings, as published."""

    def __post_init__(self) -> None:
        for name in ("num_safety_tokens", "prompt_layers"):
            if getattr(self, name) < 0:
                raise ConfigError(f"config.{name}: must not be negative, got {getattr(self, name)}")

    def select_layers(self, dims: BackboneDims) -> tuple[int, ...]:
        """Return the hidden states to read; raises ConfigError if the tower lacks one."""
        if self.vision_layers is None:
            return dims.vision_layers
        check_layers(self.vision_layers, dims.vision_depth, where="config.vision_layers")
        return self.vision_layers

    @classmethod
    def create_paper_variant(cls, dims: BackboneDims) -> SafetyConfig:
        """Create the published variant: 64 tokens, width 17/16 V, one feature per patch, the reference's head."""
        return cls(num_safety_tokens=64, projector=_create_paper_projector(dims), head=HeadConfig.create_reference())

    @classmethod
    def create_default(cls, dims: BackboneDims) -> SafetyConfig:
        """Create this project's variant, with sizes that depend on the backbone's."""
        width = dims.llm_width
        head = HeadConfig(
            context_width=min(width, max(128, width // 8)),
            fusion_width=min(2 * width, max(512, width // 4)),
            dropout=0.1,
        )
        return cls(num_safety_tokens=8, projector=_create_paper_projector(dims), head=head)

    @classmethod
    def parse(cls, data: object) -> SafetyConfig:
        """Parse the ``config`` object of ``safevlm.json``; raises ConfigError if it is malformed."""
        values = dict(parse_model(_SafetyFields, data, where="config"))
        layers = values["vision_layers"]
        return cls(
            **values
            | {
                "projector": ProjectorConfig(**dict(values["projector"])),
                "head": HeadConfig(**dict(values["head"])),
                "vision_layers": None if layers is None else tuple(layers),
            }
        )

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form that :meth:`parse` reads."""
        layers = None if self.vision_layers is None else list(self.vision_layers)
        return asdict(self) | {"projector": self.projector.to_dict(), "vision_layers": layers}


def check_layers(layers: tuple[int, ...], depth: int, *, where: str) -> None:
    """Raise ConfigError unless ``layers`` are distinct hidden states of a tower with ``depth`` layers."""
    hidden_states = depth + 1
    positions = [layer % hidden_states for layer in layers if -hidden_states <= layer < hidden_states]
    if not layers or len(positions) != len(layers) or len(set(positions)) != len(layers):
        raise ConfigError(
            f"{where}: distinct indices into {hidden_states} hidden states are needed, got {list(layers)}"
        )


def _create_paper_projector(dims: BackboneDims) -> ProjectorConfig:
    return ProjectorConfig(hidden=dims.vision_width * 17 // 16, grid=dims.patch_grid)


class _DimsFields(StrictModel):
    vision_width: int
    llm_width: int
    patch_grid: int
    vision_depth: int
    vision_layers: list[int]


class _ProjectorFields(StrictModel):
    hidden: int
    grid: int
    depth: int
    se_ratio: float
    mixing: Mixing = "mean"


class _HeadFields(StrictModel):
    num_heads: int
    context_layers: int
    context_width: int
    fusion: Fusion
    fusion_width: int
    pooling: Pooling
    dropout: float


class _SafetyFields(StrictModel):
    num_safety_tokens: int
    projector: _ProjectorFields
    head: _HeadFields
    vision_layers: list[int] | None
    use_llm_tokens: bool
    use_head: bool
    # Absent in checkpoints of earlier releases.
    prompt_layers: int = 0
