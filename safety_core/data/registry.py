"""The public data sets that can be converted, by their name on the command line."""

from collections.abc import Mapping

from safety_core.data.adapters import (
    figstep,
    harmbench,
    hatecheck,
    holisafe,
    llava_instruct,
    mm_safetybench,
    rtvlm,
    spa_vl,
    vlguard,
    xstest,
)
from safety_core.data.adapters.tables import csv_table, folder, parquet_table
from safety_core.data.labels import list_labels
from safety_core.data.raw_samples import DatasetAdapter, NamedLabel
from safety_core.errors import ConfigError

ADAPTERS: Mapping[str, DatasetAdapter] = {
    "vlguard": vlguard.ADAPTER,
    "rtvlm": rtvlm.ADAPTER,
    "spa-vl": spa_vl.ADAPTER,
    "mm-safetybench": mm_safetybench.ADAPTER,
    "figstep": figstep.ADAPTER,
    "llava-instruct": llava_instruct.ADAPTER,
    "holisafe": holisafe.ADAPTER,
    "xstest": xstest.ADAPTER,
    "harmbench": harmbench.ADAPTER,
    "hatecheck": hatecheck.ADAPTER,
    "folder": folder.ADAPTER,
    "csv": csv_table.ADAPTER,
    "parquet": parquet_table.ADAPTER,
}


def find_adapter(name: str) -> DatasetAdapter:
    """Find the adapter of a set; raises ConfigError, which lists the known sets, if there is none."""
    if name not in ADAPTERS:
        raise ConfigError(f"adapter: must be one of {sorted(ADAPTERS)}, got {name!r}")
    return ADAPTERS[name]


def format_labels() -> str:
    """Format how the categories of all sets are labelled as a Markdown table, as docs/data.md prints it."""
    names: dict[tuple[tuple[str, NamedLabel], ...], list[str]] = {}
    for name, adapter in ADAPTERS.items():
        names.setdefault(tuple(adapter.labels.items()), []).append(f"`{name}`")
    rows = [
        f"| {', '.join(sets)} | {kind} {level} | {', '.join(categories)} |"
        for labels, sets in names.items()
        for (kind, level), categories in list_labels(dict(labels))
    ]
    return "\n".join(("| set | label | categories |", "|---|---|---|", *rows))
