"""Runs ``safevlm`` commands in this process."""

from typer.testing import CliRunner

from safety_core.cli.main import app

runner = CliRunner()


def run_command(*arguments: object, code: int = 0) -> str:
    """Run a command and return its output, or the error output if ``code`` is not 0."""
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stderr if code else result.stdout
