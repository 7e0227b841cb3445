"""Tables of the corpus: records by set and split, by label, by terms; groups; what is missing or left out.

Shows counts only, never a text.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from safety_core.small.corpus.loading import Corpus
from safety_core.small.corpus.records import SPLITS, Record
from safety_core.small.corpus.sources import SOURCES, Source
from safety_core.small.corpus.splits import COMBINED


def format_report(corpus: Corpus) -> str:
    """Format all tables as Markdown."""
    parts = [
        "## Records by set and split",
        _format_splits("set", corpus.records, lambda record: record.source),
        "## Records by label and split",
        _format_splits("type, level", corpus.records, _name_label),
        "## Records by surface and split",
        _format_splits("surface", corpus.records, lambda record: record.surface),
        "## Records by terms and split",
        _format_splits("terms", corpus.records, _find_terms),
        "## Groups",
        _format_groups(corpus.records),
        "## Left out by the rules",
        _format_table(("set", "rows", "reason"), [(s, str(n), why) for (s, why), n in corpus.left_out.most_common()]),
        "## Missing sets",
        ", ".join(corpus.missing) or "none",
    ]
    return "\n\n".join(parts) + "\n"


def format_sources() -> str:
    """Format the table of sources as Markdown, as docs/safevlm-small-data.md prints it."""
    head = ("set", "repository", "path", "commit", "licence", "terms", "used for", "remarks")
    return _format_table(head, map(_list_cells, SOURCES.values()))


def _list_cells(source: Source) -> tuple[str, ...]:
    return (
        source.name,
        source.repository,
        f"`{source.path}`",
        f"`{source.commit[:12]}`",
        source.licence,
        source.terms,
        ", ".join(source.uses),
        source.reason,
    )


def _name_label(record: Record) -> str:
    return f"{record.label[0]} {record.label[1]}" if record.label else "none"


def _find_terms(record: Record) -> str:
    return SOURCES[record.source].terms if record.source in SOURCES else "own"


def _format_splits(title: str, records: Iterable[Record], name: Callable[[Record], str]) -> str:
    counts = Counter((name(record), record.split) for record in records)
    names = list(dict.fromkeys(one for one, _ in counts))
    rows = [
        (one, *(str(counts[one, split]) for split in SPLITS)) for one in (names if title == "set" else sorted(names))
    ]
    total = ("all", *(str(sum(counts[one, split] for one in names)) for split in SPLITS))
    return _format_table((title, *SPLITS), [*rows, total])


def _format_groups(records: Sequence[Record]) -> str:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    several = [members for members in groups.values() if len(members) > 1]
    rows = [
        ("groups", len(groups)),
        ("of several records", len(several)),
        ("of several sets", sum(len({record.source for record in members}) > 1 for members in several)),
        ("records of the largest", max(map(len, groups.values()))),
        ("with harmless records and records of level 2 or 3 on one surface", sum(map(_has_contradiction, several))),
    ]
    return _format_table(("", "number"), [(name, str(number)) for name, number in rows])


def _has_contradiction(members: Sequence[Record]) -> bool:
    """Whether near-duplicates disagree; requests about one issue differ by their framing on purpose."""
    if members[0].source == COMBINED:
        return False
    for surface in ("prompt", "lettering", "photo"):
        levels = {record.label[1] for record in members if record.label and record.surface in (surface, "both")}
        if 0 in levels and max(levels) >= 2:
            return True
    return False


def _format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
