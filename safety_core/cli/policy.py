"""``safevlm policy``: checks a policy file before a server uses it, and explains decisions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from safety_core.cli.common import DEFAULT_CHECKPOINT, READ_PICTURES, exit_on_error, find_checkpoint, read_bytes
from safety_core.policy.documents import load_guarantee, load_policy
from safety_core.policy.guarantee import CalibratedPreset, describe_measured, describe_rate
from safety_core.policy.named_policies import DEFAULT_POLICY, ActivePolicy, PolicyBook
from safety_core.policy.policy import Policy
from safety_core.policy.presets import PresetName, find_preset
from safety_core.taxonomy import Taxonomy

_VIEW_WIDTH = 10
"""Minimum width of the column with the names of views."""

app = typer.Typer(no_args_is_help=True, help="Check policy files, and explain decisions.")

_Checkpoint = Annotated[Path, typer.Option(help="Checkpoint directory whose policy the file changes.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Policy file in YAML, as for SAFEVLM_POLICY.")],
    checkpoint: _Checkpoint = DEFAULT_CHECKPOINT,
) -> None:
    """Read a policy file as the server does, and print its changes; an error exits with status 1 and names the line."""
    with exit_on_error():
        from safety_core.policy.loader import read_book

        base, taxonomy = _read_own_policy(checkpoint)
        book = read_book(file, base, taxonomy)
    typer.echo(f"{file}: valid, version {book.version}")
    for name, translations in book.policies.items():
        active = translations[""]
        notes = [active.mode.value, *(f"beside it {policy.name}" for policy in active.beside)]
        notes += ["selectable by requests"] if name in book.selectable and name != DEFAULT_POLICY else []
        languages = sorted(tag for tag in translations if tag)
        typer.echo(f"\npolicy {name} ({', '.join(notes)}; texts in {', '.join(languages) or 'its own language'})")
        for line in list_changes(base, active.policy):
            typer.echo(f"  {line}")
        for kind, hints in sorted(active.hints.items()):
            for level in sorted(hints):
                typer.echo(f"  hints.{kind}.{level}: replaced")
    for warning in book.warnings:
        typer.echo(f"warning: {warning}", err=True)


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="Policy file in YAML, as for SAFEVLM_POLICY.")],
    image: Annotated[list[Path] | None, typer.Option(help="Image file; may be given several times.")] = None,
    prompt: Annotated[str | None, typer.Option(help="The user's prompt.")] = None,
    policy: Annotated[str, typer.Option(help="Name of the policy in the file.")] = DEFAULT_POLICY,
    checkpoint: _Checkpoint = DEFAULT_CHECKPOINT,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    read_pictures: Annotated[str, READ_PICTURES] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole explanation as JSON.")] = False,
) -> None:
    """Classify images, a prompt or both, and explain the decision: scores, thresholds and rules."""
    if not image and not prompt:
        raise typer.BadParameter("an image or a prompt is needed")
    with exit_on_error():
        from safety_core.engine.explanation import explain_verdict
        from safety_core.engine.load import load_guard
        from safety_core.engine.messages import GuardRequest
        from safety_core.inputs.conversation import Turn
        from safety_core.inputs.images.decoding import decode_image
        from safety_core.inputs.images.limits import ImageLimits
        from safety_core.policy.loader import read_book

        reading: Any = read_pictures
        guard = load_guard(find_checkpoint(checkpoint), device=device, read_pictures=reading)
        taxonomy = guard.info.taxonomy
        book = read_book(file, guard.info.policy, taxonomy)
        active = _select_policy(book, policy)
        limits = guard.info.limit_images(ImageLimits())
        images = tuple(
            decode_image(read_bytes(path), limits=limits, fill=guard.info.pad_colour) for path in image or ()
        )
        turns = (Turn(role="user", text=prompt),) if prompt else ()
        explanation = explain_verdict(
            active, taxonomy, guard.assess(GuardRequest(images=images, turns=turns, policy=active))
        )
    typer.echo(json.dumps(explanation, indent=2) if as_json else "\n".join(_format_explanation(explanation)))


@app.command("preset")
def print_preset(
    name: Annotated[PresetName, typer.Argument(help="strict, balanced or permissive.")],
    checkpoint: _Checkpoint = DEFAULT_CHECKPOINT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, which SAFEVLM_POLICY accepts as well.")] = False,
    derived: Annotated[
        bool, typer.Option("--derived", help="Move the odds of the thresholds, even if calibrated presets exist.")
    ] = False,
) -> None:
    """Print a policy file that makes a checkpoint's own policy stricter or more permissive, or leaves it as it is.

    Presets that a checkpoint was calibrated with come first: their thresholds have measured rates of false alarms.
    """
    with exit_on_error():
        base, taxonomy = _read_own_policy(checkpoint)
        calibrated = None if derived else _find_calibrated_preset(checkpoint, taxonomy, name)
    preset = find_preset(name)
    title = f"{preset.title}: {preset.description}"
    all_changes = preset.list_changes(base)
    if calibrated is not None:
        title = f"{preset.title}: " + "; ".join(describe_rate(guaranteed) for guaranteed in calibrated.guarantees)
        title += f"\n# Measured: {describe_measured(calibrated.measured)}"
        all_changes = {"thresholds": list_changed_thresholds(base, calibrated)}
    changes = {field: by_type for field, by_type in all_changes.items() if by_type}
    if as_json:
        typer.echo(json.dumps(changes, indent=2))
        return
    numbered = {
        field: {kind: {int(level): value for level, value in by_level.items()} for kind, by_level in by_type.items()}
        for field, by_type in changes.items()
    }
    typer.echo(f"# {title}")
    if numbered:
        typer.echo(yaml.safe_dump(numbered, default_flow_style=None, sort_keys=False, width=120), nl=False)


def list_changed_thresholds(base: Policy, preset: CalibratedPreset) -> dict[str, dict[str, object]]:
    """List the thresholds that a calibrated preset changes, by type and level."""
    changed = {
        kind: {level: value for level, value in by_level.items() if value != base.thresholds[kind][int(level)]}
        for kind, by_level in preset.thresholds.items()
    }
    return {kind: dict(by_level) for kind, by_level in changed.items() if by_level}


def _read_own_policy(checkpoint: Path) -> tuple[Policy, Taxonomy]:
    """Read a checkpoint's own policy, which is in its text files, so no tensor is read."""
    from safety_core.model.checkpoint.sha256_manifest import check_manifest
    from safety_core.model.spec import POLICY_FILE, read_spec

    folder = find_checkpoint(checkpoint)
    check_manifest(folder)
    taxonomy = read_spec(folder).taxonomy
    return load_policy(folder / POLICY_FILE, taxonomy), taxonomy


def _find_calibrated_preset(checkpoint: Path, taxonomy: Taxonomy, name: PresetName) -> CalibratedPreset | None:
    """Find the preset that a checkpoint was calibrated with; None if there is none."""
    from safety_core.model.spec import POLICY_FILE

    guarantee = load_guarantee(find_checkpoint(checkpoint) / POLICY_FILE, taxonomy)
    return None if guarantee is None else guarantee.presets.get(name)


def list_changes(base: Policy, policy: Policy) -> Iterator[str]:
    """List the fields in which a policy differs from another."""
    yield from _compare("", base.to_dict(), policy.to_dict())


def _compare(field: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict):
        for key in old:
            yield from _compare(f"{field}.{key}".strip("."), old[key], new[key])
    elif old != new:
        yield f"{field}: {json.dumps(old)} → {json.dumps(new, ensure_ascii=False)}"


def _select_policy(book: PolicyBook, name: str) -> ActivePolicy:
    if name not in book.policies:
        raise typer.BadParameter(f"the file has the policies {', '.join(book.policies)}")
    return book.select(name)


def _format_explanation(explanation: dict[str, Any]) -> Iterator[str]:
    """Format an explanation as lines of text."""
    policy = explanation["policy"]
    aside = "" if policy["mode"] == "enforce" else f", which would have decided {policy['decision']} (shadow mode)"
    yield f"decision   {explanation['decision']}, by the policy {policy['name']}{aside}"
    if explanation["reason"]:
        yield f"because    {explanation['reason']}: the scores are missing or not finite"
        return
    reached = [rule for rule in explanation["rules"] if rule["reached"]]
    if not explanation["rules"]:
        yield "because    no risk type is enabled"
    elif reached:
        rule = reached[-1]
        yield (
            f"because    {explanation['type']}: belief in level {rule['level']} ({rule['name']}) or worse is "
            f"{rule['belief']:.4f}, at least {rule['threshold']:.4f}, which leads to {rule['action']}"
        )
    else:
        yield f"because    {explanation['type']} is the most probable type, and none of its thresholds is reached"
    if explanation["decided_by"]:
        deciding_view = explanation["decided_by"]
        reading = _format_reading(deciding_view["reading"], explanation["readings"])
        yield f"seen in    {deciding_view['view']}, reading {reading}"
    if explanation["off"]:
        yield f"off        {', '.join(explanation['off'])}"
    for name, decision in explanation["others"].items():
        yield f"beside     {name}: {decision}"
    if explanation["refusal"]:
        yield f"refusal    {explanation['refusal']}"
    if explanation["rules"]:
        yield f"\n{'level':<16} {'belief':>8} {'threshold':>10}  reached  action"
    for rule in explanation["rules"]:
        yield (
            f"{rule['level']} {rule['name']:<14} {rule['belief']:>8.4f} {rule['threshold']:>10.4f}  "
            f"{'yes' if rule['reached'] else 'no':<7}  {rule['action']}"
        )
    width = max(_VIEW_WIDTH, *(len(view["view"]) for view in explanation["views"]))
    yield f"\n{'view':<{width}} {'reading':<12} {'decides':<8} {'decision':<10} {'type':<18} belief in level 1, 2, …"
    for view in explanation["views"]:
        reading, decides = _format_reading(view["reading"], explanation["readings"]), "yes" if view["decides"] else "no"
        beliefs = " ".join(f"{belief:.4f}" for belief in view["beliefs"].values())
        yield (
            f"{view['view']:<{width}} {reading:<12} {decides:<8} {view['decision']:<10} {view['type']:<18} {beliefs}"
        )


def _format_reading(index: int, count: int) -> str:
    """Format the number of a text variant, in the order in which the guard scores them."""
    return f"{index + 1} of {count}"
