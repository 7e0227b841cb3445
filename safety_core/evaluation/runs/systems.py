"""Rows of the table: which checkpoint, with which of its parts switched on.

Knows how to load a row; nothing of suites, replies or figures.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from safety_core.errors import ConfigError
from safety_core.model.checkpoint.adapter import current_adapter
from safety_core.model.checkpoint.checkpoint import MANIFEST, POLICY_FILE, load_checkpoint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSpec:
    """One row: a checkpoint and what of it takes part."""

    name: str
    """Name in reports and bars."""

    checkpoint: Path
    """Directory of the checkpoint."""

    use_head: bool = True
    """Whether head and policy judge first: refused pairs then never reach the language model."""

    use_llm_tokens: bool = True
    """Whether the safety tokens ride in front of each picture."""

    use_adapter: bool = True
    """Whether the LoRA of stage 2 is on, where the checkpoint has one."""

    use_hints: bool = True
    """Whether a cautioned prompt gets its hint; without a head there is none to give."""

    policy: Path | None = None
    """A ``policy.json`` in place of the checkpoint's own."""

    against: tuple[str, ...] = ()
    """Rows that this one is compared with pair by pair."""

    @property
    def guarded(self) -> bool:
        """Whether any safety module takes part."""
        return self.use_head or self.use_llm_tokens

    def to_dict(self) -> dict[str, object]:
        """The JSON form, for the record; folders by their names."""
        paths = {"checkpoint": self.checkpoint.name, "policy": None if self.policy is None else self.policy.name}
        return asdict(self) | paths | {"against": list(self.against)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRow:
    """A row that is ready to run."""

    spec: RowSpec
    """What it is."""

    model: SafeLlava
    """Its model, in evaluation mode."""

    policy: Policy
    """What decides, where the head takes part."""

    sha256: str
    """Digest of the checkpoint's manifest, which covers all its files."""


def standard_rows(
    shipped: Path, *, stage1: Path | None = None, first_token: Path | None = None, policy: Path | None = None
) -> tuple[RowSpec, ...]:
    """The rows of the paper's ablation that the given checkpoints allow.

    Args:
        shipped: the checkpoint after both stages.
        stage1: the checkpoint after stage 1; gives the rows ``head_only``, ``tokens_only`` and ``stage1``.
        first_token: the full pipeline with the public reference's head.
        policy: replaces the policy of ``shipped`` in its row.
    """
    rows = [
        RowSpec(
            name="bare", checkpoint=shipped, use_head=False, use_llm_tokens=False, use_adapter=False, use_hints=False
        )
    ]
    if stage1 is not None:
        bare = ("bare",)
        rows += [
            RowSpec(name="head_only", checkpoint=stage1, use_llm_tokens=False, use_adapter=False, against=bare),
            RowSpec(
                name="tokens_only", checkpoint=stage1, use_head=False, use_adapter=False, use_hints=False, against=bare
            ),
            RowSpec(name="stage1", checkpoint=stage1, use_adapter=False, against=bare),
        ]
    rows.append(RowSpec(name="shipped", checkpoint=shipped, policy=policy, against=tuple(row.name for row in rows)))
    if first_token is not None:
        rows[-1] = RowSpec(
            name="shipped", checkpoint=shipped, policy=policy, against=(*rows[-1].against, "first_token")
        )
        rows.append(RowSpec(name="first_token", checkpoint=first_token, against=("bare",)))
    return tuple(rows)


def load_row(spec: RowSpec, *, device: str = "cpu") -> LoadedRow:
    """Load a row's checkpoint with its parts switched as the row says.

    Raises:
        CheckpointError: the checkpoint is damaged; UntrainedError where untrained modules would take part.
        ConfigError: the policy is malformed, or a head should take part that the checkpoint does not have.
    """
    model = load_checkpoint(
        spec.checkpoint, device=device, allow_untrained=not spec.guarded, merge=None if spec.use_adapter else False
    )
    if spec.use_head and not model.config.use_head:
        raise ConfigError(f"row {spec.name}: the checkpoint has no head")
    adapter = current_adapter(model.backbone)
    if adapter is not None and not spec.use_adapter:
        # PEFT's own removal: the weights below were never touched by it.
        model.backbone.model.language_model = adapter.unload()
    policy = load_policy(spec.policy or spec.checkpoint / POLICY_FILE, model.taxonomy)
    digest = hashlib.sha256((spec.checkpoint / MANIFEST).read_bytes()).hexdigest()
    return LoadedRow(spec=spec, model=model.eval(), policy=policy, sha256=digest)
