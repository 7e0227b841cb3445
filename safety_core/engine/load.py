"""Loads a guard from a checkpoint directory."""

import hashlib
from pathlib import Path
from typing import Literal

import torch

from safety_core.engine.canary import read_canary
from safety_core.engine.guard import Guard
from safety_core.engine.guard_info import CheckpointNotes, Fallback, GuardLimits
from safety_core.engine.suitability import describe_suitability, is_miniature
from safety_core.errors import ConfigError, SafeVLMError
from safety_core.lettering.readers import ReadPictures, choose_reader
from safety_core.lettering.reading import LetteringReader
from safety_core.model.checkpoint.checkpoint import (
    CARD_FILE,
    MANIFEST,
    POLICY_FILE,
    load_checkpoint,
    read_spec,
    verify_loadable,
)
from safety_core.model.checkpoint.quantization import Quantize
from safety_core.model.device import pick_device
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.policy.documents import load_policy

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


def load_guard(
    checkpoint: Path,
    *,
    device: str = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = "none",
    allow_untrained: bool = False,
    limits: GuardLimits | None = None,
    read_pictures: ReadPictures = "auto",
    reader: LetteringReader | None = None,
    fallback: Fallback | None = None,
    judge_only: bool = False,
    compare: bool = False,
) -> Guard:
    """Verify and load a checkpoint, and create a guard for it. Operators' policies are part of the requests.

    Args:
        checkpoint: the directory.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: precision of the backbone; ``auto`` is float32 on the CPU, where decoding steps may still multiply in
            bfloat16, and bfloat16 elsewhere.
        quantize: precision of the language model's linear layers.
        allow_untrained: accept safety modules that were never trained.
        limits: as for :class:`Guard`.
        read_pictures: whether lettering in images is read and judged; ``auto`` as the checkpoint says.
        reader: reads lettering, in place of the checkpoint's own reader.
        fallback: why this checkpoint is loaded instead of the configured one, if it is.
        judge_only: load no more of the language model than the head reads; the guard then cannot answer.
        compare: also keep the bare language model, which answers without the guard.

    Raises:
        MissingBackboneError: the checkpoint is valid, but its backbone must be brought first.
        CheckpointError: the checkpoint is damaged, untrained, or its canary is malformed.
        ConfigError: the device does not exist, what the reader needs is not installed, or there is no bare language
            model to keep.
    """
    reading = (limits or GuardLimits()).reading
    try:
        reader = choose_reader(_find_reader_name(checkpoint), read_pictures, reader, reading)
    except ConfigError:
        verify_loadable(checkpoint, allow_untrained=allow_untrained)  # an error of the checkpoint has priority
        raise
    model = load_checkpoint(
        checkpoint,
        device=pick_device(device),
        dtype=None if dtype == "auto" else getattr(torch, dtype),
        quantize=quantize,
        allow_untrained=allow_untrained,
        judge_only=judge_only,
        keep_bare=compare,
    )
    own = load_policy(checkpoint / POLICY_FILE, model.taxonomy)
    provenance = read_spec(checkpoint).provenance
    return Guard(
        model,
        own,
        checkpoint=checkpoint.resolve().name,
        digest=hashlib.sha256((checkpoint / MANIFEST).read_bytes()).hexdigest(),
        limits=limits,
        canary=read_canary(checkpoint, provenance, own, get_pad_colour(model.image_processor)),
        notes=CheckpointNotes(
            description=describe_suitability(provenance),
            is_miniature=is_miniature(provenance),
            model_card=_read_card(checkpoint / CARD_FILE),
            fallback=fallback,
        ),
        reader=reader,
        pack=dtype == "auto",
    )


def _read_card(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def _find_reader_name(checkpoint: Path) -> str | None:
    """Read the name of the checkpoint's reader, before its model is loaded, which takes minutes."""
    try:
        return read_spec(checkpoint).reader
    except SafeVLMError:  # loading the checkpoint reports its error in more detail
        return None
