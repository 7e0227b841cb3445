"""Opens a suite: reads its data with the adapter or reader of its name, labels them, and chooses items."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safety_core.data.conversion import check_request
from safety_core.data.image_store import open_image_store
from safety_core.data.jsonl import read_jsonl
from safety_core.data.labels import LabelTable, parse_level
from safety_core.data.raw_samples import RawSample, ReadOptions
from safety_core.data.record_place import RecordPlace
from safety_core.data.registry import find_adapter
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError, InputError, SampleError
from safety_core.evaluation.benchmarks.run_files import SuiteInfo
from safety_core.evaluation.benchmarks.suites.abilities.mmbench import read_mmbench
from safety_core.evaluation.benchmarks.suites.abilities.mme import read_mme
from safety_core.evaluation.benchmarks.suites.abilities.pope import read_pope
from safety_core.evaluation.benchmarks.suites.abilities.question_rows import ReadQuestions
from safety_core.evaluation.benchmarks.suites.abilities.seed_bench import read_seed_bench
from safety_core.evaluation.benchmarks.suites.catalogue import describe_data, find_suite
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.suites.pictures import PictureTable
from safety_core.evaluation.benchmarks.suites.selection import choose_items
from safety_core.inputs.conversation import Turn
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

QUESTION_READERS: Mapping[str, ReadQuestions] = {
    "mme": read_mme,
    "mmbench": read_mmbench,
    "seed": read_seed_bench,
    "pope": read_pope,
}
"""Readers of the ability suites."""

_STYLES = re.compile(r"-(?:SD|SD_TYPO|TYPO)-(?=[^-]*$)")
"""Part of MM-SafetyBench's ids that distinguishes the three pictures of one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSuite:
    """The items of a run."""

    info: SuiteInfo
    items: tuple[Item, ...]
    taxonomy: Taxonomy
    skipped: tuple[SampleError, ...] = ()
    """Errors of the records that were left out."""


def open_suite(
    name: str,
    data: Path | None,
    *,
    cache: Path,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    skip_bad: bool = False,
) -> OpenedSuite:
    """Read the data of a suite and choose its items.

    Args:
        name: a name of :data:`.catalogue.SUITES`.
        data: folder or file with the data.
        cache: folder for pictures that the data set keeps inside its own files.
        taxonomy: names of types and levels; records of ``jsonl`` contain its indices.
        split: the part to read; None for the one that the suite is usually measured on.
        limit: greatest number of items, in proportion from every category; None for all.
        seed: seed of that choice.
        skip_bad: leave out malformed records, instead of stopping at the first.

    Raises:
        InputError: no data were named; the message says where they come from.
        ConfigError: the name, the data or the split do not exist, a category has no label, or the limit is too small.
        SampleError: a record is malformed, or a file is missing.
    """
    entry = find_suite(name)
    if data is None:
        raise InputError(describe_data(name), code="data_missing", param="data")
    if not data.exists():
        raise ConfigError(f"{data}: there is no such folder or file\n{describe_data(name)}")
    if split is not None and entry.kind != "safety":
        raise ConfigError(f"--split: {name} has none")
    with open_image_store(cache) as store:
        pictures = PictureTable(store)
        if entry.kind == "safety":
            found = _read_samples(name, data, split or entry.split, pictures, taxonomy)
        elif entry.kind == "ability":
            found = _read_questions(name, data, pictures, taxonomy)
        else:
            found = _read_records(data, pictures, taxonomy, skip_bad=skip_bad)
        items, skipped = _collect(found, skip_bad=skip_bad)
    if not items:
        raise ConfigError(f"{data}: no record of {name} was found, {len(skipped)} were skipped")
    chosen = choose_items(items, limit, seed=seed)
    if not chosen:
        raise ConfigError(f"--limit: no group of items fits within {limit}")
    info = SuiteInfo(
        name=name, digest=compute_digest(chosen), items=len(chosen), licence=entry.licence, data=data.resolve().name
    )
    return OpenedSuite(info=info, items=tuple(chosen), taxonomy=taxonomy, skipped=tuple(skipped))


def compute_digest(items: list[Item]) -> str:
    """Compute the digest of what is asked and of the labels; pictures count by their content."""
    digest = hashlib.sha256()
    for item in items:
        question = None if item.question is None else [item.question.expected, *item.question.options]
        turns = [[turn.role, turn.text] for turn in item.turns]
        pictures = [picture.sha256 for picture in item.pictures]
        facts = [item.id, item.source, item.category, item.type, item.level, turns, pictures, question]
        digest.update(json.dumps(facts).encode() + b"\n")
    return digest.hexdigest()


def _collect(found: Iterator[Item | SampleError], *, skip_bad: bool) -> tuple[list[Item], list[SampleError]]:
    """Separate items from errors; raises ConfigError if two items have the same id."""
    items: list[Item] = []
    skipped: list[SampleError] = []
    for item in found:
        if not isinstance(item, SampleError):
            items.append(item)
        elif skip_bad:
            skipped.append(item)
        else:
            raise item
    repeated = [name for name, count in Counter(item.id for item in items).items() if count > 1]
    if repeated:
        raise ConfigError(f"{len(repeated)} ids occur more than once; the first is {repeated[0]!r}")
    return items, skipped


def _read_samples(
    name: str, data: Path, split: str | None, pictures: PictureTable, taxonomy: Taxonomy
) -> Iterator[Item | SampleError]:
    """Read a safety set with its adapter, and label its categories."""
    adapter, options = find_adapter(name), ReadOptions(split=split)
    check_request(name, adapter, data, options)
    labels = LabelTable(adapter.labels, {}, taxonomy)
    numbers: Counter[str] = Counter()
    for sample in adapter.read(data, options):
        if isinstance(sample, SampleError):
            yield sample
            continue
        numbers[sample.id] += 1
        number = numbers[sample.id]
        try:
            label = _find_label(sample, labels, taxonomy)
            yield _create_item(
                id=sample.id if number == 1 else f"{sample.id}~{number}",
                source=name,
                category=sample.category or "-",
                label=label,
                taxonomy=taxonomy,
                texts=sample.turns,
                images=sample.images,
                pictures=pictures,
                place=sample.place,
            )
        except SampleError as error:
            yield error


def _find_label(sample: RawSample, labels: LabelTable, taxonomy: Taxonomy) -> RiskLabel:
    """Find the label of a sample; raises SampleError if it has none, and ConfigError if its category has none."""
    if sample.category is None:
        raise sample.place.create_error("the record has no label", "category")
    try:
        level = None if sample.level is None else parse_level(sample.level, taxonomy)
    except ValueError as exc:
        raise sample.place.create_error(str(exc), "level") from exc
    return labels.find_label(sample.category, level)


def _create_item(
    *,
    id: str,
    source: str,
    category: str,
    label: RiskLabel,
    taxonomy: Taxonomy,
    texts: tuple[str, ...],
    images: tuple[Path | bytes, ...],
    pictures: PictureTable,
    place: RecordPlace,
) -> Item:
    """Create an item of a safety set; a reply at the end of the conversation is left out."""
    asked = texts[:-1] if len(texts) % 2 == 0 else texts
    shown = tuple(pictures.add(image, place) for image in images)
    same_question = _STYLES.sub("-", id) if source == "mm-safetybench" else None
    return Item(
        id=id,
        group=same_question or (shown[0].sha256 if shown else id),
        source=source,
        category=category,
        type=taxonomy.types[label.type],
        level=label.level,
        turns=tuple(
            Turn(role="assistant" if index % 2 else "user", text=text, images=0 if index else len(shown))
            for index, text in enumerate(asked)
        ),
        pictures=shown,
    )


def _read_questions(name: str, data: Path, pictures: PictureTable, taxonomy: Taxonomy) -> Iterator[Item | SampleError]:
    """Read an ability suite; its questions are harmless."""
    for row in QUESTION_READERS[name](data):
        if isinstance(row, SampleError):
            yield row
            continue
        try:
            picture = pictures.add(row.image, row.place)
        except SampleError as error:
            yield error
            continue
        yield Item(
            id=row.id,
            group=row.group,
            source=name,
            category=row.category,
            type=taxonomy.safe_type,
            level=0,
            turns=(Turn(role="user", text=row.text, images=1),),
            pictures=(picture,),
            question=row.question,
        )


def _read_records(
    data: Path, pictures: PictureTable, taxonomy: Taxonomy, *, skip_bad: bool
) -> Iterator[Item | SampleError]:
    """Read labelled records; their category is ``meta.subset``, or else their risk type."""
    result = read_jsonl(data, taxonomy, skip_bad=skip_bad)
    yield from result.bad
    for sample in result.samples:
        yield _create_item(
            id=sample.id,
            source=sample.source or "-",
            category=_name_category(sample, taxonomy),
            label=sample.label,
            taxonomy=taxonomy,
            texts=tuple(turn.text for turn in sample.conversation),
            images=sample.images,
            pictures=pictures,
            place=RecordPlace(Path(sample.file), sample.line),
        )


def _name_category(sample: Sample, taxonomy: Taxonomy) -> str:
    subset = sample.meta.get("subset")
    return subset if isinstance(subset, str) and subset else taxonomy.types[sample.label.type]
