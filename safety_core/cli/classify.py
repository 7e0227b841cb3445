"""``safevlm classify``: prints the verdict on images, a prompt or both."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from safety_core.cli.common import DEFAULT_CHECKPOINT, READ_PICTURES, exit_on_error, find_checkpoint, read_bytes


def classify(
    images: Annotated[list[Path] | None, typer.Argument(help="Images, classified together and individually.")] = None,
    prompt: Annotated[str | None, typer.Option(help="The user's prompt.")] = None,
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = DEFAULT_CHECKPOINT,
    policy: Annotated[Path | None, typer.Option(help="Policy file in YAML, as for SAFEVLM_POLICY.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quantize: Annotated[str, typer.Option(help="none, int8 or nf4.")] = "none",
    read_pictures: Annotated[str, READ_PICTURES] = "auto",
) -> None:
    """Classify images, a prompt or both, and print the verdict as JSON; no reply is generated."""
    if not images and not prompt:
        raise typer.BadParameter("an image or a prompt is needed")
    with exit_on_error():
        from safety_core.engine.load import load_guard
        from safety_core.engine.messages import GuardRequest
        from safety_core.inputs.conversation import Turn
        from safety_core.inputs.images.decoding import decode_image
        from safety_core.inputs.images.limits import ImageLimits
        from safety_core.policy.loader import read_book

        kind: Any = quantize
        reading: Any = read_pictures
        guard = load_guard(find_checkpoint(checkpoint), device=device, quantize=kind, read_pictures=reading)
        book = None if policy is None else read_book(policy, guard.info.policy, guard.info.taxonomy)
        limits = guard.info.limit_images(ImageLimits())
        decoded = tuple(
            decode_image(read_bytes(path), limits=limits, fill=guard.info.pad_colour) for path in images or ()
        )
        turns = (Turn(role="user", text=prompt),) if prompt else ()
        active = None if book is None else book.select()
        verdict = guard.assess(GuardRequest(images=decoded, turns=turns, policy=active))
    typer.echo(
        json.dumps(
            {
                "decision": verdict.verdict.decision,
                "flagged": verdict.verdict.flagged,
                "reason": verdict.verdict.reason,
                "risk": None if verdict.assessment is None else asdict(verdict.assessment),
                "images": [asdict(assessment) for assessment in verdict.per_image],
            },
            indent=2,
        )
    )
