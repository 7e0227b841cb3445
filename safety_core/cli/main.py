"""``safevlm``: the tree of commands.

Commands import what they need when they run, so that help and checks of plain files are fast.
"""

from typing import Annotated

import typer

import safety_core
from safety_core.cli.audit import audit
from safety_core.cli.audit_log import print_audit_log
from safety_core.cli.checkpoints.calibrate import app as calibrate_app
from safety_core.cli.checkpoints.init import init
from safety_core.cli.checkpoints.novelty import app as novelty_app
from safety_core.cli.checkpoints.verify import verify
from safety_core.cli.classify import classify
from safety_core.cli.convert import convert
from safety_core.cli.data.app import app as data_app
from safety_core.cli.evaluate import evaluate
from safety_core.cli.nano import app as nano_app
from safety_core.cli.policy import app as policy_app
from safety_core.cli.small.app import app as small_app
from safety_core.cli.small.parts import app as parts_app
from safety_core.cli.train import train
from safety_core.library_warnings import suppress_library_warnings

app = typer.Typer(
    name="safevlm", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
for command in (init, train, evaluate, verify, classify, audit):
    app.command()(command)
app.command("convert")(convert)
app.command("audit-log")(print_audit_log)
app.add_typer(calibrate_app, name="calibrate")
app.add_typer(data_app, name="data")
app.add_typer(policy_app, name="policy")
app.add_typer(nano_app, name="nano")
app.add_typer(novelty_app, name="novelty")
app.add_typer(small_app, name="small")
app.add_typer(parts_app, name="parts")


@app.callback(invoke_without_command=True)
def handle_options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Train, calibrate, evaluate and inspect guarded vision-language models."""
    if version:
        typer.echo(safety_core.__version__)
        raise typer.Exit


def main() -> None:
    """Run the console script."""
    suppress_library_warnings()
    app()


if __name__ == "__main__":
    main()
