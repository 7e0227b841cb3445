"""``safevlm convert``: the former name of ``safevlm data import``."""

from functools import wraps
from typing import Any

import typer

from safety_core.cli.data.importing import import_set


@wraps(import_set)
def convert(**arguments: Any) -> None:
    """Do as ``safevlm data import`` does, and say so."""
    typer.echo("deprecated: safevlm convert is now safevlm data import, with the same arguments", err=True)
    import_set(**arguments)


convert.__doc__ = "Deprecated: the former name of safevlm data import."
