"""``python -m safety_core.evaluation evaluate|calibrate``: ``safevlm``'s commands for suites that lie in a folder."""

import typer

from safety_core.evaluation.command import calibrate, evaluate


def main() -> None:
    """Run one command."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.command()(evaluate)
    app.command()(calibrate)
    app()


if __name__ == "__main__":
    main()
