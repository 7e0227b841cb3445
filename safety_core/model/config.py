"""Shapes and switches of the safety modules, and their JSON form in ``safevlm.json``.

Every width derives from :class:`BackboneDims`; nothing here names a width in numbers. Knows no torch.
Shapes: N image patches · V vision width · D LLM width · S safety tokens · M safety features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from safety_core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from transformers import LlavaConfig

Pooling = Literal["attention", "first_token"]
Fusion = Literal["block", "bare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneDims:
    """What the safety modules need to know about a backbone.

    Raises:
        ConfigError: a size is not positive or the default layers lie outside the tower.
    """

    vision_width: int
    """V: width of the vision tower's hidden states."""

    llm_width: int
    """D: width of the language model's input embeddings."""

    patch_grid: int
    """Patches along one side of the picture; N is its square."""

    vision_depth: int
    """Number of transformer layers in the vision tower."""

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
    def parse_config(cls, config: LlavaConfig) -> BackboneDims:
        """Read a ``LlavaConfig``; nothing is built and no weight is read. Raises ConfigError if it makes no sense."""
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
            raise ConfigError(f"the backbone's config has no {exc.name}: it is not a LLaVA over a ViT") from exc
        except (ArithmeticError, TypeError, ValueError) as exc:
            raise ConfigError(f"the backbone's config has sizes that no LLaVA can have ({type(exc).__name__})") from exc

    @classmethod
    def from_dict(cls, data: object) -> BackboneDims:
        """Read the ``dims`` object of ``safevlm.json``; raises ConfigError where it is malformed."""
        values = _strict(cls, data, where="dims")
        return cls(**(values | {"vision_layers": _layers(values.get("vision_layers"), where="dims.vision_layers")}))

    def to_dict(self) -> dict[str, object]:
        """The JSON form that :meth:`from_dict` reads."""
        return asdict(self) | {"vision_layers": list(self.vision_layers)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectorConfig:
    """Shape of the safety projector (a C-Abstractor, as in the paper)."""

    hidden: int
    """Width of the convolution stages; the paper's is 17/16 of V."""

    grid: int
    """Side of the output grid: M = grid * grid safety features an image."""

    depth: int = 3
    """Residual blocks in each of the two stages."""

    se_ratio: float = 0.25
    """Squeeze-excite width as a part of a block's input width."""

    def __post_init__(self) -> None:
        if self.hidden < 1 or self.grid < 1 or self.depth < 1:
            raise ConfigError("config.projector: hidden, grid and depth must be positive")
        if not 0.0 < self.se_ratio <= 1.0:
            raise ConfigError(f"config.projector.se_ratio: must lie in (0, 1], got {self.se_ratio}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Shape of the safety head.

    Raises:
        ConfigError: a count is negative, or the context width does not divide into heads of even width.
    """

    num_heads: int = 8
    """Attention heads, in the cross-attention and in the context layers."""

    context_layers: int = 1
    """Residual self-attention blocks over the queries before they meet the picture; 0 leaves word order unknown."""

    context_width: int = 0
    """Reduced width in which the context layers work; 0 only without context layers."""

    fusion: Fusion = "block"
    """``block``: pre-norm cross-attention and MLP with residuals; ``bare``: the reference's lone attention."""

    fusion_width: int = 0
    """Hidden width of the MLP that follows the cross-attention; used by ``block`` only."""

    pooling: Pooling = "attention"
    """``attention``: learned pooling over all real queries; ``first_token``: the learned query alone, as published."""

    dropout: float = 0.0
    """Dropout in the context and fusion blocks while training."""

    def __post_init__(self) -> None:
        if self.fusion not in get_args(Fusion):
            raise ConfigError(f"config.head.fusion: one of {list(get_args(Fusion))} is needed, got {self.fusion!r}")
        if self.pooling not in get_args(Pooling):
            raise ConfigError(f"config.head.pooling: one of {list(get_args(Pooling))} is needed, got {self.pooling!r}")
        if self.num_heads < 1 or self.context_layers < 0 or not 0.0 <= self.dropout < 1.0:
            raise ConfigError("config.head: num_heads must be positive, context_layers >= 0, dropout in [0, 1)")
        if self.context_layers and (self.context_width < 1 or self.context_width % (2 * self.num_heads)):
            raise ConfigError(
                f"config.head.context_width: {self.context_width} must divide into {self.num_heads} heads of even width"
            )
        if self.fusion == "block" and self.fusion_width < 1:
            raise ConfigError("config.head.fusion_width: must be positive when fusion is 'block'")

    @classmethod
    def create_reference(cls, num_heads: int = 8) -> HeadConfig:
        """The public reference's head: no context layers, lone attention, and of all positions only 0 is read."""
        return cls(num_heads=num_heads, context_layers=0, fusion="bare", pooling="first_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyConfig:
    """Everything that shapes the safety modules beside the backbone and the taxonomy."""

    num_safety_tokens: int
    """S: learned tokens in each of the two sets (64 in the paper)."""

    projector: ProjectorConfig
    """Shape of the safety projector."""

    head: HeadConfig
    """Shape of the safety head."""

    vision_layers: tuple[int, ...] | None = None
    """Hidden states that the safety projector mixes; None means the ones that LLaVA itself reads."""

    use_llm_tokens: bool = True
    """Whether the second token set enters the language model in front of each image."""

    use_head: bool = True
    """Whether projector and head exist at all (off only in ablations: nothing is then judged)."""

    def __post_init__(self) -> None:
        if self.num_safety_tokens < 0:
            raise ConfigError(f"config.num_safety_tokens: must not be negative, got {self.num_safety_tokens}")

    def select_layers(self, dims: BackboneDims) -> tuple[int, ...]:
        """The hidden states to read; raises ConfigError if the tower has no such layer."""
        if self.vision_layers is None:
            return dims.vision_layers
        check_layers(self.vision_layers, dims.vision_depth, where="config.vision_layers")
        return self.vision_layers

    @classmethod
    def create_paper_variant(cls, dims: BackboneDims) -> SafetyConfig:
        """The published variant: 64 tokens, 17/16 V hidden, one safety feature a patch, the reference's head."""
        return cls(num_safety_tokens=64, projector=_paper_projector(dims), head=HeadConfig.create_reference())

    @classmethod
    def create_default(cls, dims: BackboneDims) -> SafetyConfig:
        """The designed variant at a size that suits the backbone."""
        width = dims.llm_width
        head = HeadConfig(
            context_width=min(width, max(128, width // 8)),
            fusion_width=min(2 * width, max(512, width // 4)),
            dropout=0.1,
        )
        return cls(num_safety_tokens=8, projector=_paper_projector(dims), head=head)

    @classmethod
    def from_dict(cls, data: object) -> SafetyConfig:
        """Read the ``config`` object of ``safevlm.json``; raises ConfigError where it is malformed."""
        values = _strict(cls, data, where="config")
        layers = values.get("vision_layers")
        return cls(
            **values
            | {
                "projector": ProjectorConfig(**_strict(ProjectorConfig, values["projector"], where="config.projector")),
                "head": HeadConfig(**_strict(HeadConfig, values["head"], where="config.head")),
                "vision_layers": None if layers is None else _layers(layers, where="config.vision_layers"),
            }
        )

    def to_dict(self) -> dict[str, object]:
        """The JSON form that :meth:`from_dict` reads."""
        layers = None if self.vision_layers is None else list(self.vision_layers)
        return asdict(self) | {"vision_layers": layers}


def check_layers(layers: tuple[int, ...], depth: int, *, where: str) -> None:
    """Raise ConfigError unless ``layers`` are distinct hidden states of a tower with ``depth`` layers."""
    hidden_states = depth + 1
    positions = [layer % hidden_states for layer in layers if -hidden_states <= layer < hidden_states]
    if not layers or len(positions) != len(layers) or len(set(positions)) != len(layers):
        raise ConfigError(
            f"{where}: distinct indices into {hidden_states} hidden states are needed, got {list(layers)}"
        )


def _paper_projector(dims: BackboneDims) -> ProjectorConfig:
    return ProjectorConfig(hidden=dims.vision_width * 17 // 16, grid=dims.patch_grid)


T = TypeVar("T", bound="DataclassInstance")
_SCALARS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}


def _strict(cls: type[T], data: object, *, where: str) -> dict[str, Any]:
    """The fields of ``cls`` from JSON: every name present, none unknown, scalars of the declared type."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: an object is needed, got {type(data).__name__}")
    declared = {field.name: str(field.type) for field in fields(cls)}
    if set(data) != set(declared):
        missing, unknown = sorted(set(declared) - set(data)), sorted(set(data) - set(declared))
        raise ConfigError(f"{where}: missing fields {missing}, unknown fields {unknown}")
    for name, kind in declared.items():
        accepted, value = _SCALARS.get(kind), data[name]
        if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and kind != "bool")):
            raise ConfigError(f"{where}.{name}: {kind} is needed, got {type(value).__name__}")
    return dict(data)


def _layers(value: object, *, where: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(layer) is int for layer in value):
        raise ConfigError(f"{where}: a list of integers is needed")
    return tuple(value)
