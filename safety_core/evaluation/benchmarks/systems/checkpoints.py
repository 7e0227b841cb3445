"""A checkpoint in this process: the guard as a server runs it, and its bare backbone as a second system."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.engine.generation.no_generator import NoGenerator
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import GuardLimits
from safety_core.engine.load import load_guard
from safety_core.engine.messages import ChatRequest, GuardRequest, GuardVerdict, Reply
from safety_core.errors import ConfigError, EngineError, InputError
from safety_core.evaluation.benchmarks.run_files import DecisionName, SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from safety_core.lettering.readers import ReadPictures
from safety_core.model.checkpoint.checkpoint import MANIFEST
from safety_core.policy.documents import format_policy, load_policy
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision
from safety_core.taxonomy import Taxonomy

REPLY_WINDOW = 20
"""Tokens between two judgements of a reply, as a server's default."""

GUARDED, BARE = "guarded", "bare"
"""Names of the two systems of a checkpoint."""

_NAMES: Mapping[Decision, DecisionName] = {
    Decision.ALLOWED: "allowed",
    Decision.CAUTIONED: "cautioned",
    Decision.REFUSED: "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRequest:
    """The checkpoint that is measured, and how."""

    checkpoint: Path
    policy: Path | None = None
    """A ``policy.json`` in place of the checkpoint's own."""

    judge_only: bool = False
    """Whether requests are judged and not answered."""

    bare: bool = False
    """Whether the backbone without the guard is a second system."""

    max_tokens: int = 128
    """Most tokens of a reply."""

    device: str = "auto"
    read_pictures: ReadPictures = "auto"
    """Whether lettering in pictures is read; ``auto`` as the checkpoint says."""


class GuardedSystem:
    """Judges and answers with a guard, one item at a time.

    Args:
        guard: the guard.
        info: its name and origin.
        policy: the policy that decides; None for the checkpoint's own.
        max_tokens: most tokens of a reply; None if requests are only judged.
    """

    def __init__(
        self, guard: Guard, info: SystemInfo, *, policy: ActivePolicy | None = None, max_tokens: int | None = None
    ) -> None:
        self._guard = guard
        self._active = policy
        self._max_tokens = max_tokens
        self.info = info

    @property
    def policy(self) -> Mapping[str, Any] | None:
        """The policy that decides."""
        return format_policy(self._guard.policy if self._active is None else self._active.policy)

    def answer(self, item: Item) -> Result:
        """Judge an item and answer it if that is allowed; pictures without words are only judged."""
        started = time.perf_counter()
        try:
            images = decode_pictures(item, self._guard)
            if self._max_tokens is None or not item.turns:
                verdict = self._guard.assess(GuardRequest(images=images, turns=item.turns, policy=self._active))
                return self._build_result(verdict, None, time.perf_counter() - started)
            reply = self._guard.answer(
                ChatRequest(images=images, turns=item.turns, policy=self._active, max_tokens=self._max_tokens)
            )
            return self._build_result(reply.verdict, _read_reply(reply), time.perf_counter() - started)
        except (InputError, EngineError, OSError) as exc:
            return Result(error=_name_error(exc))

    def _build_result(self, judged: GuardVerdict, reply: str | None, seconds: float) -> Result:
        taxonomy, assessment = self._guard.info.taxonomy, judged.assessment
        decision = _NAMES[judged.verdict.decision]
        if assessment is None:  # refused without a verdict, as a server does it
            return Result(decision=decision, reply=reply or judged.refusal, seconds=seconds)
        levels = tuple(assessment.level_scores[name] for name in taxonomy.levels)
        return Result(
            decision=decision,
            risk=min(1.0, max(0.0, judged.verdict.unsafe_probability)),
            risk_type=judged.verdict.type if judged.verdict.flagged else None,
            type_scores=dict(assessment.type_scores),
            level_scores=levels,
            reply=reply if reply is not None else judged.refusal,
            seconds=seconds,
        )


class BareSystem:
    """Answers with the backbone of a guard's checkpoint, without safety modules, adapter, verdict, hint and rail.

    Args:
        guard: a guard that was loaded with its bare language model.
        info: its name and origin.
        max_tokens: most tokens of a reply.
    """

    policy: Mapping[str, Any] | None = None

    def __init__(self, guard: Guard, info: SystemInfo, *, max_tokens: int) -> None:
        self._guard = guard
        self._max_tokens = max_tokens
        self.info = info

    def answer(self, item: Item) -> Result:
        """Answer an item; pictures without words cannot be answered."""
        if not item.turns:
            return Result(error="no_words")
        started = time.perf_counter()
        try:
            images = decode_pictures(item, self._guard)
            request = self._guard.create_unguarded_request(
                ChatRequest(images=images, turns=item.turns, max_tokens=self._max_tokens)
            )
            generator = self._guard.create_generator()
            assert not isinstance(generator, NoGenerator), "a guard with a bare language model generates"
            sequence = generator.create_sequence(request)
            generator.admit([sequence])
            while not sequence.done:
                generator.step()
            if sequence.failure is not None:
                return Result(error=_name_error(sequence.failure))
            return Result(reply=sequence.text, seconds=time.perf_counter() - started)
        except (InputError, EngineError, OSError) as exc:
            return Result(error=_name_error(exc))


def load_checkpoint_systems(request: CheckpointRequest, taxonomy: Taxonomy) -> list[GuardedSystem | BareSystem]:
    """Load a checkpoint once, as a server does, and make its systems: guarded, and bare if that is wanted.

    Raises:
        CheckpointError: the checkpoint is damaged or untrained.
        ConfigError: the device does not exist, the policy is malformed, the reader is not installed, or the types and
            levels of checkpoint and suite differ.
    """
    if request.judge_only and request.bare:
        raise ConfigError("--bare: the bare backbone only answers, so it cannot be measured with --judge-only")
    guard = load_guard(
        request.checkpoint,
        device=request.device,
        limits=GuardLimits(reply_window=REPLY_WINDOW),
        read_pictures=request.read_pictures,
        judge_only=request.judge_only,
        compare=request.bare,
    )
    if guard.info.taxonomy != taxonomy:
        raise ConfigError("the risk types and levels of the suite and the checkpoint differ")
    own = None if request.policy is None else ActivePolicy(policy=load_policy(request.policy, taxonomy))
    facts = {
        "kind": "checkpoint",
        "model": request.checkpoint.resolve().name,
        "digest": hashlib.sha256((request.checkpoint / MANIFEST).read_bytes()).hexdigest(),
    }
    guarded = GuardedSystem(
        guard,
        SystemInfo.model_validate({"name": GUARDED, **facts}),
        policy=own,
        max_tokens=None if request.judge_only else request.max_tokens,
    )
    if not request.bare:
        return [guarded]
    return [
        guarded,
        BareSystem(guard, SystemInfo.model_validate({"name": BARE, **facts}), max_tokens=request.max_tokens),
    ]


def decode_pictures(item: Item, guard: Guard) -> tuple[DecodedImage, ...]:
    """Decode an item's pictures as a server does.

    Raises:
        ImageError: a picture is broken or exceeds a limit.
        OSError: a file cannot be read.
    """
    limits = guard.info.limit_images(ImageLimits())
    return tuple(decode_image(picture.read(), limits=limits, fill=guard.info.pad_colour) for picture in item.pictures)


def _read_reply(reply: Reply) -> str:
    """Return what a user reads."""
    return reply.content or reply.refusal or ""


def _name_error(error: Exception) -> str:
    if isinstance(error, InputError):
        return error.code
    return "picture_unreadable" if isinstance(error, OSError) else type(error).__name__
