"""What a training run is asked to do: one flat, strict config, from a YAML file, overrides and flags.

The defaults of each stage are the paper's (arXiv 2405.13581, supplement). Knows no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from safety_core.errors import ConfigError
from safety_core.files import read_text, why_unreadable

TrainParts = Literal["all", "head", "lm"]
Precision = Literal["fp32", "bf16", "fp16"]

STAGE_DEFAULTS: Mapping[int, Mapping[str, object]] = MappingProxyType(
    {1: {"warmup_steps": 20}, 2: {"warmup_steps": 300}},
)
"""What differs between the stages where nothing is said (supplement, table of hyperparameters)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One run of one stage.

    Raises:
        ConfigError: a value is out of range, or two of them contradict each other.
    """

    backbone: str
    """Checkpoint directory, or a bare backbone: a folder in Hugging Face layout or a hub id."""

    data: tuple[str, ...]
    """JSONL files to learn from."""

    out: str
    """Checkpoint directory to write; it must not exist."""

    stage: int = 1
    """1: safety modules beside a frozen backbone. 2: a LoRA on the language model too."""

    train_parts: TrainParts = "all"
    """``head``: projector, head and its tokens, without running the LLM. ``lm``: the LLM's tokens and LoRA. Or both."""

    eval_data: tuple[str, ...] = ()
    """JSONL files to measure loss and accuracy on, every ``eval_steps`` and at the end."""

    revision: str | None = None
    """Commit of a hub repository."""

    taxonomy: str | None = None
    """JSON file with ``types``, ``levels`` and ``safe_type``, for a bare backbone; a checkpoint brings its own."""

    hints: str | None = None
    """JSON file with hints by type and level name, for a bare backbone; a checkpoint brings its own."""

    template: Literal["auto", "vicuna", "chat"] = "auto"
    """Conversation format of a bare backbone: ``vicuna`` (LLaVA-1.5's), ``chat`` (its tokenizer's) or ``auto``."""

    safety: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the default shape of the safety modules, at any depth, for a bare backbone."""

    epochs: float = 3.0
    """Passes over the data, unless ``max_steps`` is given."""

    max_steps: int | None = None
    """Optimizer steps, in place of ``epochs``."""

    batch_size: int = 32
    """Samples in one forward pass."""

    grad_accum: int = 4
    """Forward passes for each optimizer step; the effective batch is ``batch_size * grad_accum``."""

    lr: float = 1e-5
    """Peak learning rate."""

    lr_lm: float | None = None
    """Peak learning rate of the LLM's tokens and LoRA, where it should differ from ``lr``."""

    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """Shape of the learning rate after the warm-up."""

    warmup_steps: int = -1
    """Steps over which the learning rate rises; -1 takes the stage's default, but at most a tenth of all steps."""

    weight_decay: float = 0.0
    """Decay of weight matrices; tokens, norms and biases never decay."""

    clip: float = 1.0
    """Largest gradient norm, for each parameter group by itself; 0 switches clipping off."""

    lambda_: float = 10.0
    """Weight of the level and type losses against the LM loss in the logged sum and the backward pass."""

    surface_weight: float = 0.5
    """Weight of each surface loss (pictures alone, words alone) against the pair's."""

    class_weights: Literal["none", "balanced"] = "none"
    """``balanced`` weighs each type and level by the inverse square root of how often it occurs."""

    label_smoothing: float = 0.0
    """Share of the target probability that is spread over all types and levels."""

    hint_dropout: float = 0.1
    """Share of the cautioned samples that are shown without their hint."""

    lora_r: int = 256
    """Rank of stage 2's LoRA."""

    lora_alpha: int = 16
    """Scale of the LoRA."""

    lora_dropout: float = 0.05
    """Dropout in front of the LoRA."""

    share_images: int = 8
    """Most prompts of one picture that stand next to each other in a batch, so that its work is done once."""

    cache_features: str | None = None
    """Folder that keeps the frozen tower's features in 16 bit; without one the tower runs in every step."""

    precision: Precision = "fp32"
    """Mixed precision of forward and backward pass; fp16 needs a GPU."""

    quantize: Literal["none", "int8", "nf4"] = "none"
    """Precision of the frozen language model's linear layers."""

    gradient_checkpointing: bool = False
    """Trade time for memory in the language model's backward pass."""

    device: str = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda``."""

    workers: int = 0
    """Processes that prepare batches; 0 prepares them in the training process."""

    seed: int = 0
    """Seed of initial weights, order, dropout and hint dropout."""

    save_steps: int = 200
    """Steps between two resumable states."""

    log_steps: int = 20
    """Steps between two log lines."""

    eval_steps: int = 0
    """Steps between two evaluations; 0 evaluates at the end only."""

    skip_bad: bool = False
    """Count and list malformed records, unreadable pictures and overlong prompts instead of stopping at the first."""

    include_backbone: bool = False
    """Copy the backbone into the written checkpoint."""

    run_dir: str | None = None
    """Folder for resumable states and logs; ``<out>.run`` where None."""

    tensorboard: bool = False
    """Write TensorBoard logs into the run folder beside the JSON log."""

    progress: bool = True
    """Show a progress bar."""

    def __post_init__(self) -> None:
        if self.stage not in STAGE_DEFAULTS:
            raise ConfigError(f"stage: 1 or 2 is needed, got {self.stage}")
        if not self.data:
            raise ConfigError("data: at least one file is needed")
        for name in ("epochs", "batch_size", "grad_accum", "lr", "lora_r", "share_images", "save_steps", "log_steps"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: a positive number is needed, got {getattr(self, name)}")
        for name in ("weight_decay", "clip", "lambda_", "surface_weight", "workers", "eval_steps"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name}: must not be negative, got {getattr(self, name)}")
        for name in ("label_smoothing", "hint_dropout", "lora_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"{name}: must lie in [0, 1), got {getattr(self, name)}")
        if self.max_steps is not None and self.max_steps < 1:
            raise ConfigError(f"max_steps: a positive number is needed, got {self.max_steps}")
        if self.stage == 2 and self.train_parts == "head":
            raise ConfigError("train_parts: stage 2 trains the language model's LoRA; 'head' alone is stage 1")

    @property
    def run_path(self) -> Path:
        """Where resumable states and logs lie."""
        return Path(self.run_dir) if self.run_dir is not None else Path(f"{self.out.rstrip('/')}.run")

    def warmup_of(self, steps: int) -> int:
        """Warm-up steps of a run of so many: as many as asked for, or the stage's but at most a tenth of the run."""
        if self.warmup_steps >= 0:
            return min(self.warmup_steps, steps)
        stage_default = STAGE_DEFAULTS[self.stage]["warmup_steps"]
        assert isinstance(stage_default, int)
        return min(stage_default, steps // 10)

    def to_dict(self) -> dict[str, object]:
        """Every value, JSON-ready."""
        return {**asdict(self), "safety": dict(self.safety), "data": list(self.data), "eval_data": list(self.eval_data)}


def load_config(
    file: Path | str | None = None, assignments: Sequence[str] = (), flags: Mapping[str, object] | None = None
) -> TrainConfig:
    """Put a config together; what comes later wins.

    Args:
        file: YAML file with any of the fields.
        assignments: ``field=value`` or ``safety.head.num_heads=4``; values are read as YAML.
        flags: fields by name; None means "not said".

    Raises:
        ConfigError: a field is unknown, missing, mistyped or out of range.
    """
    values = assigned(assignments, {} if file is None else _read_yaml(Path(file)))
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    # Python keeps the word for itself; people write it without the underscore.
    if "lambda" in values:
        values["lambda_"] = values.pop("lambda")
    known = {entry.name for entry in fields(TrainConfig)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"unknown fields {unknown}")
    if missing := [name for name in ("backbone", "data", "out") if name not in values]:
        raise ConfigError(f"missing fields {missing}")
    types = get_type_hints(TrainConfig)
    return TrainConfig(**{name: _typed(value, types[name], name) for name, value in values.items()})


def assigned(assignments: Sequence[str], values: dict[str, Any] | None = None) -> dict[str, Any]:
    """``field.inner=value`` strings as nested mappings, laid over ``values``; raises ConfigError for malformed ones."""
    values = {} if values is None else values
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        if not sign:
            raise ConfigError(f"{assignment!r}: field=value is needed")
        _assign(values, path.strip().split("."), _scalar(text, path))
    return values


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(read_text(file))
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise ConfigError(f"{file.name}: {why_unreadable(exc, 'YAML')}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"{file.name}: a mapping is needed")
    return {str(key): value for key, value in data.items()}


def _scalar(text: str, path: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: the value cannot be read as YAML") from exc


def _assign(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{'.'.join(path)}: {name} has no fields")
        values = inner
    values[path[-1]] = value


def _typed(value: Any, kind: Any, name: str) -> Any:
    """``value`` as the field's type; YAML reads ``1e-5`` as text and one path as no list."""
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{name}: one of {list(get_args(kind))} is needed, got {value!r}")
        return value
    if kind == tuple[str, ...]:
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list | tuple) and all(isinstance(entry, str) for entry in listed):
            return tuple(listed)
        raise ConfigError(f"{name}: a path or a list of paths is needed")
    if kind == Mapping[str, Any]:
        if isinstance(value, Mapping):
            return dict(value)
        raise ConfigError(f"{name}: a mapping is needed")
    allowed = [option for option in get_args(kind) or (kind,) if option is not type(None)]
    if value is None and len(allowed) < len(get_args(kind)):
        return None
    (wanted,) = allowed
    if wanted is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    elif type(value) is wanted:
        return value
    raise ConfigError(f"{name}: {wanted.__name__} is needed, got {value!r}")
