"""The commands of ``safevlm data``."""

import typer

from safety_core.cli.data.filtering import filter_data
from safety_core.cli.data.importing import import_set, print_sets
from safety_core.cli.data.labelling import confirm, suggest
from safety_core.cli.data.reports import print_report
from safety_core.cli.data.suites import make_suite

app = typer.Typer(no_args_is_help=True, help="Import data sets, report on them, and label records.")

app.command("import")(import_set)
app.command("sets")(print_sets)
app.command("suite")(make_suite)
app.command("filter")(filter_data)
app.command("report")(print_report)
app.command("suggest")(suggest)
app.command("confirm")(confirm)
