"""Systems under evaluation: a checkpoint and its enabled parts. Each system is one row of the table.

Knows nothing of suites, replies or figures.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.adapter import get_adapter
from safety_core.model.checkpoint.checkpoint import MANIFEST, POLICY_FILE, load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """A checkpoint and its enabled parts."""

    name: str
    """Name in reports and bars."""

    checkpoint: Path
    """Directory of the checkpoint."""

    use_head: bool = True
    """Whether head and policy decide first; refused pairs then never reach the language model."""

    use_llm_tokens: bool = True
    """Whether the safety tokens precede each image."""

    use_adapter: bool = True
    """Whether the LoRA of stage 2 is applied, where the checkpoint has one."""

    use_hints: bool = True
    """Whether a cautioned prompt gets its hint; without a head there is no hint."""

    reads_pictures: bool = True
    """Whether lettering in images is read and judged, where the checkpoint names a reader."""

    policy: Path | None = None
    """A ``policy.json`` in place of the checkpoint's own."""

    against: tuple[str, ...] = ()
    """Names of systems that this one is compared with pair by pair."""

    @property
    def is_guarded(self) -> bool:
        """Whether any safety module is enabled."""
        return self.use_head or self.use_llm_tokens

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form for reports, with the names of folders instead of paths."""
        paths = {"checkpoint": self.checkpoint.name, "policy": None if self.policy is None else self.policy.name}
        return asdict(self) | paths | {"against": list(self.against)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSystem:
    """A system that is ready to run."""

    spec: SystemSpec
    """Its specification."""

    model: SafeLlava
    """The model, in evaluation mode."""

    policy: Policy
    """The policy, which decides if the head is enabled."""

    reader: str | None = None
    """Name of the reader of lettering; None if lettering is not read."""

    sha256: str
    """Digest of the checkpoint's manifest, which covers all its files."""


def list_standard_systems(
    shipped: Path, *, stage1: Path | None = None, first_token: Path | None = None, policy: Path | None = None
) -> tuple[SystemSpec, ...]:
    """List the systems of the paper's ablation for the given checkpoints.

    Args:
        shipped: the checkpoint after both stages.
        stage1: the checkpoint after stage 1, of the systems ``head_only``, ``tokens_only`` and ``stage1``.
        first_token: the checkpoint after both stages with the public reference's head.
        policy: replaces the policy of the system ``shipped``.
    """
    systems = [
        SystemSpec(
            name="bare", checkpoint=shipped, use_head=False, use_llm_tokens=False, use_adapter=False, use_hints=False
        )
    ]
    if stage1 is not None:
        bare = ("bare",)
        systems += [
            SystemSpec(name="head_only", checkpoint=stage1, use_llm_tokens=False, use_adapter=False, against=bare),
            SystemSpec(
                name="tokens_only", checkpoint=stage1, use_head=False, use_adapter=False, use_hints=False, against=bare
            ),
            SystemSpec(name="stage1", checkpoint=stage1, use_adapter=False, against=bare),
        ]
    systems.append(
        SystemSpec(name="shipped", checkpoint=shipped, policy=policy, against=tuple(system.name for system in systems))
    )
    if first_token is not None:
        systems[-1] = SystemSpec(
            name="shipped", checkpoint=shipped, policy=policy, against=(*systems[-1].against, "first_token")
        )
        systems.append(SystemSpec(name="first_token", checkpoint=first_token, against=("bare",)))
    return tuple(systems)


def load_system(spec: SystemSpec, *, device: str = "cpu") -> LoadedSystem:
    """Load a system's checkpoint and disable the parts that the system does not use.

    Raises:
        CheckpointError: the checkpoint is damaged; UntrainedError where an enabled module is untrained.
        ConfigError: the policy is malformed, or the head is enabled and the checkpoint has none.
    """
    model = load_checkpoint(
        spec.checkpoint, device=device, allow_untrained=not spec.is_guarded, merge=None if spec.use_adapter else False
    )
    if spec.use_head and not model.config.use_head:
        raise ConfigError(f"system {spec.name}: the checkpoint has no head")
    adapter = get_adapter(model.backbone)
    if adapter is not None and not spec.use_adapter:
        # PEFT's own removal: the base weights were never changed.
        model.backbone.model.language_model = adapter.unload()
    policy = load_policy(spec.policy or spec.checkpoint / POLICY_FILE, model.taxonomy)
    digest = hashlib.sha256((spec.checkpoint / MANIFEST).read_bytes()).hexdigest()
    reader = model.reader if spec.use_head and spec.reads_pictures else None
    return LoadedSystem(spec=spec, model=model.eval(), policy=policy, reader=reader, sha256=digest)
