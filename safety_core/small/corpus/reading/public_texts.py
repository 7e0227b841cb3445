"""Reads the public sets of texts, ``texts/NAME.jsonl``, and labels them: one object a line, with ``text`` and the set's
own labels. A malformed line ends the reading with its file and line. Knows no groups and no splits.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, ValidationError

from safety_core.data.readers.fields import FilledText, SourceRecord
from safety_core.data.readers.rows import SourceRow, read_jsonl_rows
from safety_core.data.record_place import RecordPlace
from safety_core.errors import SampleError
from safety_core.small.corpus.hashing import hash_text
from safety_core.small.corpus.labels.harmless import find_task
from safety_core.small.corpus.labels.rules import NoRuleError, find_rules
from safety_core.small.corpus.labels.tables import TEXT_RULES
from safety_core.small.corpus.reading.families import find_bias_family, find_hate_family, find_person_family
from safety_core.small.corpus.reading.issuebench import Issue, combine_issue, find_openings
from safety_core.small.corpus.reading.personal_data import categorize_entities
from safety_core.small.corpus.records import LETTERING_SUFFIX, Record

_SHORTEST_CLAIM = 5
"""Words of the shortest answer that is a claim without its question."""


class _TextRow(SourceRecord):
    """One line of a set of texts; each set has some of the fields."""

    text: FilledText
    category: str = ""
    label: str = ""
    functionality: str = ""
    condition: str = ""
    entities: list[str] = Field(default_factory=list)
    right: str = ""
    wrong: str = ""
    topic_id: str = ""
    topic_neutral: str = ""
    topic_pro: str = ""
    topic_con: str = ""
    tag_exclude: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """One text before its label."""

    text: str
    category: str
    family: str = ""
    topic: str = ""
    place: RecordPlace


def read_public_texts(source: str, folder: Path, left_out: Counter[tuple[str, str]]) -> list[Record]:
    """Read and label the texts of one set; none if its file is missing.

    Args:
        source: name of the set.
        folder: folder of the files of texts.
        left_out: counts, by set and reason, to which the texts that the rules leave out are added.

    Raises:
        SampleError: a line is malformed, or its category has no rule.
    """
    return list(_label_texts(source, _read_texts(source, folder), left_out))


def find_text_file(source: str, folder: Path) -> Path:
    """Path of the file of a set of texts, whether or not it exists."""
    return folder / f"{source}.jsonl"


def _read_texts(source: str, folder: Path) -> Iterator[_Text]:
    """Yield the texts of a set; none if its file is missing."""
    file = find_text_file(source, folder)
    if not file.is_file():
        return
    if source == "issuebench_issues":
        yield from _combine_issues(file, find_text_file("issuebench_templates", folder))
        return
    for row, place in _read_rows(file):
        if source == "truthfulqa":
            yield from _list_claims(row, place)
        else:
            yield _Text(
                text=row.text,
                category=_find_category(source, row),
                family=_find_family(source, row.text),
                topic=row.category if source == "bbq" else "",
                place=place,
            )


def _combine_issues(issues: Path, templates: Path) -> Iterator[_Text]:
    """Yield requests about IssueBench's issues; none without its templates."""
    openings = find_openings(row.text for row, _ in _read_rows(templates))
    for row, place in _read_rows(issues):
        issue = Issue(
            topic=row.topic_id,
            excluded=bool(row.tag_exclude),
            neutral=row.topic_neutral,
            pro=row.topic_pro,
            con=row.topic_con,
        )
        for framing, request in combine_issue(issue, openings):
            category = f"{issue.kind}/{framing}"
            yield _Text(text=request, category=category, family=issue.family, topic=issue.topic, place=place)


def _read_rows(file: Path) -> Iterator[tuple[_TextRow, RecordPlace]]:
    if not file.is_file():
        return
    for row in read_jsonl_rows(file):
        if isinstance(row, SampleError):
            raise row
        yield _validate_row(row), row.place


def _validate_row(row: SourceRow) -> _TextRow:
    try:
        return _TextRow.model_validate(row.data)
    except ValidationError as exc:
        raise row.place.translate_error(exc) from exc


def _find_category(source: str, row: _TextRow) -> str:
    """Category of a row, as the rules of its set name it."""
    match source:
        case "tweets_davidson" | "toxicity_surge" | "covid_claims":
            return row.label
        case "hatecheck":
            return row.functionality
        case "bbq":
            return row.condition
        case "pii":
            return categorize_entities(row.entities, row.text)
        case "benign_t0":
            return find_task(row.category)
        case _:
            return row.category


def _find_family(source: str, text: str) -> str:
    match source:
        case "hatecheck":
            return find_hate_family(text)
        case "bbq":
            return find_bias_family(text)
        case "pii":
            return find_person_family(text)
        case _:
            return ""


def _list_claims(row: _TextRow, place: RecordPlace) -> Iterator[_Text]:
    """Yield a question of TruthfulQA and its answers, as one family."""
    family = hash_text(row.text)
    yield _Text(text=row.text, category="question", family=family, place=place)
    for side, answers in (("right", row.right), ("wrong", row.wrong)):
        for answer in filter(None, map(str.strip, answers.split(";"))):
            short = len(answer.split()) < _SHORTEST_CLAIM
            category = "short answer" if short else f"{side}/{row.category}"
            yield _Text(text=answer, category=category, family=family, place=place)


def _label_texts(source: str, texts: Iterator[_Text], left_out: Counter[tuple[str, str]]) -> Iterator[Record]:
    """Yield the records of a set, each once; a text that occurs with two labels is left out."""
    found: dict[str, Record] = {}
    contradicted: set[str] = set()
    for text in texts:
        for record in _label_text(source, text, left_out):
            known = found.setdefault(record.id, record)
            if known.label != record.label:
                contradicted.add(record.id)
    for key in contradicted:
        left_out[source, "the same text carries two labels"] += 1
        found[key] = replace(found[key], label=None)
    yield from found.values()


def _label_text(source: str, text: _Text, left_out: Counter[tuple[str, str]]) -> Iterator[Record]:
    cleaned = re.sub(r"[^\S\n]+", " ", html.unescape(text.text)).strip()
    try:
        rules = list(find_rules(TEXT_RULES[source], text.category, cleaned))
    except NoRuleError:
        raise text.place.create_error("no rule gives this category a label", "category") from None
    labelled = [(surface, rule) for surface, rule in rules if rule.label is not None]
    if not labelled:
        left_out[source, rules[0][1].why] += 1
    for surface, rule in labelled or rules[:1]:
        suffix = LETTERING_SUFFIX if surface == "lettering" and len(labelled) > 1 else ""
        yield Record(
            id=f"{source}/{hash_text(cleaned)}{suffix}",
            source=source,
            surface=surface,
            label=rule.label,
            text=cleaned,
            category=text.category,
            topic=text.topic,
            family=f"{source}/{text.family}" if text.family else "",
        )
