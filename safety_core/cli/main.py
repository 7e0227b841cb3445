"""``safevlm``: one command line for everything that happens offline.

Commands import what they need when they run, so that help and checks of plain files stay quick.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import safety_core
from safety_core.cli.audit_log import audit_log
from safety_core.cli.common import SHIPPED_CHECKPOINT, errors_as_exits, find_checkpoint, read_bytes
from safety_core.cli.evaluate import calibrate, evaluate
from safety_core.cli.nano import app as nano_app
from safety_core.cli.policy import app as policy_app
from safety_core.cli.train import train
from safety_core.errors import ConfigError
from safety_core.files import read_json, why_unreadable
from safety_core.library_warnings import silence_libraries

app = typer.Typer(
    name="safevlm", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command()(train)
app.command()(calibrate)
app.command(name="audit-log")(audit_log)
app.command()(evaluate)
app.add_typer(nano_app, name="nano")
app.add_typer(policy_app, name="policy")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Train, measure, calibrate and check guarded vision-language models."""
    if version:
        typer.echo(safety_core.__version__)
        raise typer.Exit


@app.command()
def verify(path: Annotated[Path, typer.Argument(help="Checkpoint directory.")]) -> None:
    """Check a checkpoint's files, format and shapes without loading a weight."""
    with errors_as_exits():
        from safety_core.model.checkpoint.checkpoint import verify as check

        report = check(path)
    spec = report.spec
    typer.echo(f"{path}: sound")
    typer.echo(f"files      {report.files}, {report.size / 2**20:.1f} MiB, every sha256 as in the manifest")
    steps = spec.provenance.get("steps")
    trained = "trained" + (f" in {steps} steps" if isinstance(steps, int) else "") if spec.trained else "NOT TRAINED"
    typer.echo(f"modules    {report.parameters:,} parameters, {trained}")
    typer.echo(f"backbone   {'included' if report.ships_backbone else spec.backbone.location}")
    typer.echo(f"adapter    {'yes' if report.has_adapter else 'none'}")
    typer.echo(f"template   {'vicuna' if spec.prompt is None else 'chat'}")
    typer.echo(f"types      {', '.join(spec.taxonomy.types)}")
    typer.echo(f"levels     {', '.join(spec.taxonomy.levels)}")


@app.command()
def init(
    out: Annotated[Path, typer.Argument(help="Checkpoint directory to write.")],
    backbone: Annotated[str, typer.Option(help="Folder in Hugging Face layout, or hub id.")],
    revision: Annotated[str | None, typer.Option(help="Commit, tag or branch of a hub repository.")] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="JSON file with types, levels and safe_type.")] = None,
    hints: Annotated[Path | None, typer.Option(help="JSON file with hints by type and level name.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's shape in place of the designed one.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any field of the modules' shape, e.g. head.num_heads=4."),
    ] = None,
    template: Annotated[
        str, typer.Option(help="Format of conversations: auto, vicuna (LLaVA-1.5's), or chat (the tokenizer's).")
    ] = "auto",
    include_backbone: Annotated[bool, typer.Option("--include-backbone", help="Copy the backbone along.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 0,
) -> None:
    """Make an untrained checkpoint for a backbone, reading its config but none of its weights."""
    with errors_as_exits():
        from safety_core.training.config_file import parse_assignments
        from safety_core.training.starting_checkpoint import create_fresh_checkpoint

        made = create_fresh_checkpoint(
            backbone,
            out,
            revision=revision,
            taxonomy=taxonomy,
            hints=hints,
            paper=paper,
            changes=parse_assignments(set_ or ()),
            template=template,
            include_backbone=include_backbone,
            seed=seed,
        )
    typer.echo(f"{made}: untrained; train it with: safevlm train --backbone {made} --data DATA --out OUT")


@app.command()
def classify(
    images: Annotated[list[Path] | None, typer.Argument(help="Pictures, judged together and one by one.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What is asked about them.")] = None,
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint directory.")] = SHIPPED_CHECKPOINT,
    policy: Annotated[Path | None, typer.Option(help="Policy file of an operator, as in SAFEVLM_POLICY.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quantize: Annotated[str, typer.Option(help="none, int8 or nf4.")] = "none",
) -> None:
    """Judge pictures, a prompt, or both, and print the verdict as JSON; nothing is generated."""
    if not images and not prompt:
        raise typer.BadParameter("a picture or a prompt is needed")
    with errors_as_exits():
        from safety_core.engine.load import load_guard
        from safety_core.engine.messages import GuardRequest
        from safety_core.inputs.conversation import Turn
        from safety_core.inputs.images.decoding import decode_image
        from safety_core.policy.loader import read_book

        kind: Any = quantize
        guard = load_guard(find_checkpoint(checkpoint), device=device, quantize=kind)
        book = None if policy is None else read_book(policy, guard.info.policy, guard.info.taxonomy)
        decoded = tuple(decode_image(read_bytes(path), fill=guard.info.pad_colour) for path in images or ())
        turns = (Turn(role="user", text=prompt),) if prompt else ()
        rules = None if book is None else book.select()
        found = guard.assess(GuardRequest(images=decoded, turns=turns, rules=rules))
    typer.echo(
        json.dumps(
            {
                "decision": found.verdict.decision,
                "flagged": found.verdict.flagged,
                "reason": found.verdict.reason,
                "risk": None if found.assessment is None else asdict(found.assessment),
                "images": [asdict(assessment) for assessment in found.per_image],
            },
            indent=2,
        )
    )


@app.command()
def convert(
    name: Annotated[str, typer.Argument(help="vlguard, rtvlm, spa-vl, mm-safetybench, figstep, xstest, folder, …")],
    source: Annotated[Path, typer.Argument(help="Folder in which the set was unpacked.")],
    out: Annotated[Path, typer.Argument(help="JSONL file to write.")],
    taxonomy: Annotated[Path | None, typer.Option(help="JSON taxonomy in place of the default one.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help='JSON object of the set\'s categories, {"category": ["type", level]}.')
    ] = None,
    split: Annotated[str | None, typer.Option(help="Part of a set that has several, e.g. train or test.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="List bad records instead of stopping.")] = False,
) -> None:
    """Write a public data set, or a folder of pictures, as JSONL records."""
    with errors_as_exits():
        from safety_core.data.conversion import convert as write
        from safety_core.data.labels import parse_labels
        from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

        chosen = DEFAULT_TAXONOMY if taxonomy is None else Taxonomy.from_dict(_json(taxonomy))
        table = None if labels is None else parse_labels(_json(labels))
        report = write(name, source, out, taxonomy=chosen, labels=table, split=split, skip_bad=skip_bad)
    for bad in report.skipped:
        typer.echo(f"skipped: {bad}", err=True)
    if report.skipped:
        typer.echo(f"skipped {len(report.skipped)} records", err=True)
    counts = ", ".join(f"{kind} {count}" for kind, count in report.by_type.items())
    typer.echo(f"{out}: {report.count} records ({counts})")


def main() -> None:
    """The console script."""
    silence_libraries()
    app()


def _json(path: Path) -> dict[str, object]:
    try:
        data = read_json(path)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: {why_unreadable(exc, 'JSON')}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: an object is needed")
    return data


if __name__ == "__main__":
    main()
