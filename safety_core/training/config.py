"""The config of a training run: its fields, their bounds and their defaults.

The defaults of each stage are the paper's (arXiv 2405.13581, supplement). Knows no files and no torch.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from safety_core.errors import FieldError
from safety_core.strict_json import StrictModel, find_problem

TrainParts = Literal["all", "head", "lm"]
Precision = Literal["fp32", "bf16", "fp16"]

_DEFAULT_WARMUP_STEPS: Mapping[int, int] = MappingProxyType({1: 20, 2: 300})
"""Warm-up steps of each stage (supplement, table of hyperparameters)."""


def _parse_number(value: object) -> object:
    """Convert a text such as ``1e-5``, which YAML does not read as a number."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _collect_paths(value: object) -> object:
    """Convert a path or a list of paths to a tuple."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Number = Annotated[float, BeforeValidator(_parse_number)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Paths = Annotated[tuple[str, ...], BeforeValidator(_collect_paths)]


class TrainConfig(StrictModel):
    """One run of one stage.

    Raises:
        FieldError: a field is unknown, missing, mistyped or out of range, or two fields contradict each other.
    """

    backbone: str
    """Checkpoint directory, or a bare backbone: a folder in Hugging Face layout or a hub id."""

    data: Annotated[Paths, Field(min_length=1)]
    """JSONL files to train on."""

    out: str
    """Checkpoint directory to write; it must not exist."""

    stage: Annotated[int, Field(ge=1, le=2)] = 1
    """1: the safety modules, with a frozen backbone. 2: also a LoRA on the language model."""

    train_parts: TrainParts = "all"
    """``all``, ``head`` (projector, head, its tokens; the LLM does not run) or ``lm`` (the LLM's tokens and LoRA)."""

    eval_data: Paths = ()
    """JSONL files to measure loss and accuracy on, every ``eval_steps`` and at the end."""

    revision: str | None = None
    """Commit of a hub repository."""

    taxonomy: str | None = None
    """JSON file with ``types``, ``levels`` and ``safe_type``, for a bare backbone; a checkpoint has its own."""

    hints: str | None = None
    """JSON file with hints by type and level name, for a bare backbone; a checkpoint has its own."""

    template: Literal["auto", "vicuna", "chat"] = "auto"
    """Conversation format of a bare backbone: ``vicuna`` (LLaVA-1.5's), ``chat`` (its tokenizer's) or ``auto``."""

    safety: dict[str, Any] = Field(default={})
    """Changes to the default shape of the safety modules, at any depth, for a bare backbone."""

    epochs: Annotated[Number, Field(gt=0)] = 3.0
    """Passes over the data, unless ``max_steps`` is given."""

    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps, instead of ``epochs``."""

    batch_size: PositiveInt = 32
    """Samples in one forward pass."""

    grad_accum: PositiveInt = 4
    """Forward passes for each optimizer step; the effective batch is ``batch_size * grad_accum``."""

    lr: Annotated[Number, Field(gt=0)] = 1e-5
    """Peak learning rate."""

    lr_lm: Number | None = None
    """Peak learning rate of the LLM's tokens and LoRA; ``lr`` if None."""

    prompt_lora_r: NonNegativeInt = 0
    """Rank of a LoRA on a copy of the first ``prompt_layers``, which is trained with the head; 0 trains none."""

    lr_prompt: Number | None = None
    """Peak learning rate of that LoRA; ``lr`` if None."""

    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    """Shape of the learning rate after the warm-up."""

    warmup_steps: int = -1
    """Steps over which the learning rate rises; -1 stands for the stage's default, but at most a tenth of all steps."""

    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    """Decay of weight matrices; tokens, norms and biases never decay."""

    clip: Annotated[Number, Field(ge=0)] = 1.0
    """Maximum gradient norm, for each parameter group separately; 0 disables clipping."""

    lambda_: Annotated[Number, Field(ge=0)] = 10.0
    """Weight of the level and type losses relative to the LM loss, in the logged sum and the backward pass."""

    surface_weight: Annotated[Number, Field(ge=0)] = 0.5
    """Weight of each surface loss (images alone, texts alone) relative to the whole request's."""

    class_weights: Literal["none", "balanced"] = "none"
    """``balanced`` weighs each type and level by the inverse square root of its frequency."""

    label_smoothing: Share = 0.0
    """Share of the target probability that is spread over all types and levels."""

    feature_dropout: Share = 0.0
    """Share of the vision tower's channels that the safety projector does not see, chosen anew for each image."""

    hint_dropout: Share = 0.1
    """Share of the cautioned samples that are used without their hint."""

    lora_r: PositiveInt = 256
    """Rank of stage 2's LoRA."""

    lora_alpha: int = 16
    """Scale of the LoRA."""

    lora_dropout: Share = 0.05
    """Dropout in front of the LoRA, also of one that the starting checkpoint has."""

    share_images: PositiveInt = 8
    """Maximum number of prompts of one image that are grouped in a batch, so that the image is processed once."""

    cache_features: str | None = None
    """Folder that caches the frozen tower's features, and the texts' states after ``prompt_layers``, in 16 bit; without
    it, tower and layers run in every step."""

    precision: Precision = "fp32"
    """Mixed precision of forward and backward pass; fp16 needs a GPU."""

    quantize: Literal["none", "int8", "nf4"] = "none"
    """Precision of the frozen language model's linear layers."""

    gradient_checkpointing: bool = False
    """Trade time for memory in the language model's backward pass."""

    device: str = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda``."""

    workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""

    seed: int = 0
    """Seed of initial weights, order, dropout and hint dropout."""

    save_steps: PositiveInt = 200
    """Steps between two resumable states."""

    log_steps: PositiveInt = 20
    """Steps between two log lines."""

    eval_steps: NonNegativeInt = 0
    """Steps between two evaluations; 0 evaluates at the end only."""

    skip_bad: bool = False
    """Count and list malformed records, unreadable images and overlong prompts instead of stopping at the first."""

    include_backbone: bool = False
    """Copy the backbone into the written checkpoint."""

    run_dir: str | None = None
    """Folder for resumable states and logs; ``<out>.run`` if None."""

    tensorboard: bool = False
    """Write TensorBoard logs into the run folder beside the JSON log."""

    progress: bool = True
    """Show a progress bar."""

    @model_validator(mode="wrap")
    @classmethod
    def raise_field_error(cls, data: object, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Validate the fields; raise an error of this project, not pydantic's, wherever a config is created."""
        try:
            return validate(data)
        except ValidationError as exc:
            problem = find_problem(exc, container="a mapping")
            raise FieldError(problem.problem, problem.place) from exc

    @model_validator(mode="after")
    def check_train_parts(self) -> Self:
        """Reject a stage 2 that does not train the language model."""
        if self.stage == 2 and self.train_parts == "head":
            raise FieldError("stage 2 trains the language model's LoRA; 'head' alone is stage 1", ("train_parts",))
        return self

    @property
    def run_path(self) -> Path:
        """Folder of resumable states and logs."""
        return Path(self.run_dir) if self.run_dir is not None else Path(f"{self.out.rstrip('/')}.run")

    def count_warmup_steps(self, steps: int) -> int:
        """Return the warm-up of a run of ``steps``: the number given, or the stage's but at most a tenth of the run."""
        if self.warmup_steps >= 0:
            return min(self.warmup_steps, steps)
        return min(_DEFAULT_WARMUP_STEPS[self.stage], steps // 10)
