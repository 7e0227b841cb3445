"""Judges parts on the machines of a Ray cluster, with Ray Data. The library is imported only here.

Every machine reads the source from the same path and loads the checkpoint itself. A part has the same items and batches
wherever it is judged, and the driver receives the parts in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from safety_core.dataset_audit.guard_options import GuardOptions
from safety_core.dataset_audit.journal import PartPlan
from safety_core.dataset_audit.part_judging import JudgingOptions, PartJudge
from safety_core.dataset_audit.part_table import build_table, import_arrow
from safety_core.dataset_audit.sources.source import Source
from safety_core.errors import ConfigError, EngineError

if TYPE_CHECKING:
    import pyarrow as pa


class RemoteJudge:
    """Judges one part at a time, in a process of the cluster.

    Args:
        source: the items.
        guards: the checkpoint.
        judging: how items are judged.
        plans: all parts.
    """

    def __init__(
        self, source: Source, guards: GuardOptions, judging: JudgingOptions, plans: Sequence[PartPlan]
    ) -> None:
        guard, policy = guards.load()
        self._judge = PartJudge(guard, policy, judging)
        self._taxonomy = guard.info.taxonomy
        self._source = source
        self._plans = {plan.number: plan for plan in plans}

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Judge the parts of a batch; returns their tables as bytes."""
        plans = [self._plans[int(number)] for number in batch["part"]]
        tables: list[bytes] = []
        for plan in plans:
            (judged,) = self._judge.judge_parts(self._source, [plan])
            tables.append(_dump_table(build_table(judged, plan.first, self._taxonomy)))
        return {"part": [plan.number for plan in plans], "table": tables}


def judge_on_ray(
    source: Source,
    plans: Sequence[PartPlan],
    guards: GuardOptions,
    judging: JudgingOptions,
    *,
    address: str | None,
    judges: int,
) -> Iterator[pa.Table]:
    """Yield the tables of parts, in order, as they become ready.

    Args:
        source: the items, at a path that all machines share.
        plans: the parts.
        guards: the checkpoint, at a path that all machines share.
        judging: how items are judged.
        address: address of the cluster; None for the cluster of this machine or, if there is none, a new one.
        judges: number of processes that judge, each with one guard.

    Raises:
        ConfigError: the extra ``ray`` is not installed.
        EngineError: a part was lost.
    """
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise ConfigError("--ray needs Ray Data: pip install 'safevlm-guard[ray]'") from exc
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    gpus = 0 if guards.device == "cpu" or not ray.cluster_resources().get("GPU") else 1
    numbers = ray.data.from_items([{"part": plan.number} for plan in plans], override_num_blocks=len(plans))
    judged = numbers.map_batches(
        RemoteJudge,
        fn_constructor_args=(source, guards, judging, tuple(plans)),
        batch_size=1,
        num_gpus=gpus,
        compute=ray.data.ActorPoolStrategy(size=judges),
    )
    rows = iter(judged.iter_rows())
    for plan in plans:
        row = next(rows, None)
        if row is None or row["part"] != plan.number:
            raise EngineError("a part was lost on the cluster")
        yield _load_table(row["table"])


def _dump_table(table: pa.Table) -> bytes:
    arrow = import_arrow()
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _load_table(content: bytes) -> pa.Table:
    return import_arrow().ipc.open_stream(content).read_all()
