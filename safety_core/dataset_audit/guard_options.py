"""What an audit needs to load its guard, on this machine or on another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.evaluation.scoring.picture_readings import UNHURRIED
from safety_core.lettering.readers import ReadPictures
from safety_core.model.checkpoint.quantization import Quantize
from safety_core.policy.loader import read_book
from safety_core.policy.named_policies import ActivePolicy, Mode

_MAX_BATCH = 32
"""Maximum number of views that go through the vision tower together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """A checkpoint and how it is loaded."""

    checkpoint: Path
    policy: Path | None = None
    """Policy file in YAML; the checkpoint's own policy if None."""

    device: str = "auto"
    quantize: Quantize = "none"
    read_pictures: ReadPictures = "auto"
    max_readings: int = 1
    """Maximum number of pictures whose lettering is read at the same time."""

    def load(self) -> tuple[Guard, ActivePolicy | None]:
        """Load the guard and the policy in force; lettering is read without hurry, so that load changes no verdict.

        Raises:
            SafeVLMError: as :func:`load_guard` and :func:`read_book`.
        """
        limits = GuardLimits(max_batch=_MAX_BATCH, reading=UNHURRIED, max_readings=self.max_readings)
        guard = load_guard(
            self.checkpoint,
            device=self.device,
            quantize=self.quantize,
            read_pictures=self.read_pictures,
            limits=limits,
            judge_only=True,
        )
        if self.policy is None:
            return guard, None
        # What a policy in shadow mode would do is exactly what an audit asks for.
        chosen = read_book(self.policy, guard.info.policy, guard.info.taxonomy).select()
        return guard, replace(chosen, mode=Mode.ENFORCE, beside=())
