"""A canary: an image with a known verdict, whose judgement shows that tower, projector, head and policy work together.

A checkpoint may contain its own canary as ``provenance.canary`` = ``{"image": file in the checkpoint, "prompt",
"decision"}``. Otherwise the canary is a drawn image, and the check is only that its scores are finite and do not
change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from safety_core.engine.messages import CanaryRequest, GuardRequest
from safety_core.errors import CheckpointError, ImageError
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.views import Colour
from safety_core.model.checkpoint.sha256_manifest import write_manifest
from safety_core.model.spec import read_spec, write_spec
from safety_core.policy.policy import Decision, Policy, decide_worst
from safety_core.scores import PairScores
from safety_core.taxonomy import Taxonomy

CANARY_FILE = "canary.png"
"""File name of the image that :func:`write_canary` writes."""

_TOLERANCE = 0.02
"""Maximum drift of a score between two checks; batching and 16-bit arithmetic change scores by less."""

_FIELDS = {"image", "prompt", "decision"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A request with a known verdict."""

    request: GuardRequest
    """The request to judge."""

    policy: Policy
    """The policy that the verdict was recorded under: the checkpoint's own, without an operator's changes."""

    decision: Decision | None = None
    """The known decision; None if none was recorded."""

    def find_failure(self, taxonomy: Taxonomy, pair: PairScores | None, before: PairScores | None) -> str | None:
        """Describe what is wrong with the scores of this request; None if they are as expected.

        Args:
            taxonomy: the taxonomy of the checkpoint.
            pair: the scores; None if the guard reached no verdict.
            before: the scores of the first check, None if this is the first.
        """
        if pair is None:
            return "the canary got no verdict"
        verdict, _ = decide_worst(self.policy, taxonomy, pair)
        if self.decision is not None and verdict.decision is not self.decision:
            return f"the canary was {verdict.decision}, not {self.decision}"
        if before is not None and _measure_drift(pair, before) > _TOLERANCE:
            return "the canary's scores have changed since the start"
        return None


class CanaryCheck:
    """Checks repeated verdicts on a canary; later scores are compared with the first ones.

    Args:
        canary: the canary.
        taxonomy: the taxonomy of the checkpoint.
    """

    def __init__(self, canary: Canary, taxonomy: Taxonomy) -> None:
        self._canary = canary
        self._taxonomy = taxonomy
        self._first: PairScores | None = None

    @property
    def request(self) -> GuardRequest:
        """The request to judge."""
        return self._canary.request

    def find_failure(self, pair: PairScores | None) -> str | None:
        """Describe what is wrong with the scores of a new verdict; None if they are as expected."""
        failure = self._canary.find_failure(self._taxonomy, pair, self._first)
        if failure is None and self._first is None:
            self._first = pair
        return failure


def read_canary(checkpoint: Path, provenance: Mapping[str, object], policy: Policy, fill: Colour) -> Canary:
    """Read the checkpoint's own canary, or draw one if it has none.

    Raises:
        CheckpointError: ``provenance.canary`` is malformed or its image cannot be decoded.
    """
    recorded = provenance.get("canary")
    if recorded is None:
        return draw_canary(policy, fill)
    if not isinstance(recorded, Mapping) or set(recorded) != _FIELDS:
        raise CheckpointError(f"{checkpoint.name}: provenance.canary: an object with {sorted(_FIELDS)} is needed")
    file, prompt, decision = (recorded[name] for name in ("image", "prompt", "decision"))
    if not isinstance(file, str) or Path(file).name != file or not isinstance(prompt, str):
        raise CheckpointError(
            f"{checkpoint.name}: provenance.canary: image and prompt must be a file name and a string"
        )
    if decision not in [known.value for known in Decision]:
        raise CheckpointError(f"{checkpoint.name}: provenance.canary.decision: unknown decision")
    try:
        image = decode_image((checkpoint / file).read_bytes(), fill=fill)
    except (OSError, ImageError) as exc:
        raise CheckpointError(f"{checkpoint.name}: the canary's image cannot be read") from exc
    turns = (Turn(role="user", text=prompt),) if prompt else ()
    return Canary(request=CanaryRequest(images=(image,), turns=turns), policy=policy, decision=Decision(decision))


def write_canary(checkpoint: Path, picture: bytes, *, prompt: str, decision: Decision) -> None:
    """Add a canary to a checkpoint: writes the image, the entry in its provenance, and the manifest.

    Args:
        checkpoint: a valid checkpoint directory.
        picture: an encoded PNG.
        prompt: question about the picture; if empty, the picture is judged without a prompt.
        decision: decision of the checkpoint's own policy on it.
    """
    spec = read_spec(checkpoint)
    (checkpoint / CANARY_FILE).write_bytes(picture)
    canary = {"image": CANARY_FILE, "prompt": prompt, "decision": decision.value}
    write_spec(checkpoint, replace(spec, provenance={**spec.provenance, "canary": canary}))
    write_manifest(checkpoint)


def draw_canary(policy: Policy, fill: Colour) -> Canary:
    """Draw a canary, a red disc on white with a plain question, without a known decision."""
    image = decode_image(draw_canary_picture(), fill=fill)
    turns = (Turn(role="user", text="What is in the picture?"),)
    return Canary(request=CanaryRequest(images=(image,), turns=turns), policy=policy)


def draw_canary_picture() -> bytes:
    """Draw a red disc on white; returns a PNG."""
    picture = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(picture).ellipse((16, 8, 48, 40), fill="red")
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _measure_drift(left: PairScores, right: PairScores) -> float:
    pairs = zip(left.deciding, right.deciding, strict=True)
    return max(
        abs(a - b)
        for score, previous in pairs
        for a, b in zip((*score.types, *score.levels), (*previous.types, *previous.levels), strict=True)
    )
