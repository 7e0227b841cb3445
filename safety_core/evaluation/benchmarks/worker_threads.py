"""Runs a function over many inputs in a few threads: results come as they are ready, and little is read ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


def run_in_threads(
    function: Callable[[InputT], OutputT], inputs: Iterable[InputT], *, workers: int
) -> Iterator[OutputT]:
    """Yield the results of a function, in the order in which they are ready; with one worker, in order.

    The first exception ends everything: inputs that were not started are dropped, and it is raised once the others are
    done.

    Args:
        function: called once for each input; with several workers, by several threads.
        inputs: read one by one, at most two for each worker ahead.
        workers: number of threads; with 1, the function is called by the caller's own.
    """
    if workers == 1:
        yield from map(function, inputs)
        return
    source = iter(inputs)
    with ThreadPoolExecutor(workers, thread_name_prefix="evaluation") as pool:
        running: set[Future[OutputT]] = {pool.submit(function, one) for one in islice(source, 2 * workers)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    running |= {pool.submit(function, one) for one in islice(source, 1)}
        finally:
            for future in running:
                future.cancel()
