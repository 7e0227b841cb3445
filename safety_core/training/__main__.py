"""``python -m safety_core.training``: the same as ``safevlm train``."""

import typer

from safety_core.cli.train import train

if __name__ == "__main__":
    typer.run(train)
