"""Settings of the projector's training, chosen by short runs on the development loss."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of one run.

    Raises:
        ValueError: a number is not positive.
    """

    steps: int = 2000
    """Optimizer steps."""

    batch_size: int = 16
    """Samples in one step."""

    imagined: int = 0
    """Imagined pictures in one step, beside the samples."""

    share: int = 4
    """Largest number of samples of one picture in a step; they are packed behind the picture."""

    lr: float = 3e-4
    """Peak learning rate; it falls to zero along a cosine."""

    warmup_steps: int = 50

    weight_decay: float = 0.0

    clip: float = 1.0
    """Largest norm of the gradient."""

    eval_steps: int = 250
    """Steps between two measurements on development samples."""

    save_steps: int = 100
    """Steps between two resumable states."""

    seed: int = 20

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "share", "lr", "eval_steps", "save_steps"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be positive, got {getattr(self, name)}")
