"""Our server with safevlm-small, and turns of contenders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import typer

from bench.load.http_client import Answer
from bench.load.servers import Server, run_safevlm_server
from bench.paths import SMALL
from safety_core.errors import SafeVLMError
from safety_core.lettering.readers import create_reader
from safety_core.model.checkpoint.checkpoint import verify_loadable
from safety_core.model.spec import read_spec
from service.settings.values import Untrained

CheckpointOption = Annotated[
    Path, typer.Option(help="Checkpoint directory, with its backbone. One that was never trained is accepted.")
]

_Key = TypeVar("_Key")

_Result = TypeVar("_Result")

UNTRAINED = "the safety modules of this checkpoint were never trained: only durations have a meaning"


def check_checkpoint(checkpoint: Path = SMALL) -> list[str]:
    """Check that the checkpoint can be served, with its reader; returns notes for the report.

    Raises:
        typer.BadParameter: the checkpoint, its backbone or the reader's packages are missing.
    """
    try:
        report = verify_loadable(checkpoint, allow_untrained=True)
        if report.spec.reader is not None:
            create_reader(report.spec.reader)
    except SafeVLMError as exc:
        raise typer.BadParameter(str(exc)) from exc
    return [] if report.spec.trained else [UNTRAINED]


def run_small_server(*arguments: str, checkpoint: Path, **settings: object) -> AbstractContextManager[Server]:
    """Run our server without its cache of verdicts; arguments as of :func:`run_safevlm_server`."""
    allowed = get_args(Untrained)[0 if read_spec(checkpoint).trained else 1]
    return run_safevlm_server(*arguments, checkpoint=checkpoint, cache_mb=0, allow_untrained=allowed, **settings)


def require_answers(name: str, answers: Sequence[Answer], *, tokens: int | None = None) -> Sequence[Answer]:
    """Return the answers; raises typer.BadParameter if one failed, was refused, or has another number of tokens."""
    for answer in answers:
        if answer.status != 200 or answer.refused or (tokens is not None and answer.tokens != tokens):
            raise typer.BadParameter(
                f"{name}: a reply of {answer.tokens} tokens with status {answer.status}"
                + (" was refused" if answer.refused else "")
            )
    return answers


def take_turns(contenders: Mapping[_Key, Callable[[], _Result]], rounds: int) -> Iterator[tuple[_Key, _Result]]:
    """Call the contenders in turns, every other round in reverse order; the first round is the warm-up.

    Yields:
        Name of the contender and result, of every later round.
    """
    for number in range(rounds + 1):
        turn = list(contenders.items())
        for name, measure in turn if number % 2 else reversed(turn):
            result = measure()
            if number:
                yield name, result
