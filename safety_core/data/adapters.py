"""Converts public data sets to our records: the reader of each set, and the label of each of its categories.

The label tables follow the paper's supplement (arXiv 2405.13581): politics and illegal refuse, bullying and fairness
may be answered with care, misleading is answered correctly. If a set is more specific than its category (VLGuard's
unsafe instruction, RTVLM's advice), that decides. Pictures are referenced, not copied; pictures inside a set's own
files are written next to the records.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safety_core.data import readers
from safety_core.data.readers import Found, Item
from safety_core.data.samples import RiskLabel, write_jsonl
from safety_core.errors import ConfigError, SampleError
from safety_core.files import folders_made
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy

NamedLabel = tuple[str, int]
"""Risk type by name, and level."""

SAFE: NamedLabel = ("safe", 0)

Reader = Callable[[Path, str | None], Found]
"""A set's folder and the requested split (None: any) → its samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A reader and what its categories mean."""

    read: Reader
    labels: Mapping[str, NamedLabel]
    splits: tuple[str, ...] = ()
    """Splits that the reader tells apart."""


_ILLEGAL, _POLITICS, _BULLYING = ("illegal", 3), ("politics", 3), ("insults_bullying", 2)
_FAIRNESS, _PRIVACY, _MISLEADING = ("fairness", 2), ("privacy", 3), ("misleading", 1)

_RTVLM_TYPES = {
    "celebrity": "privacy",
    "face": "fairness",
    "racial": "fairness",
    "politics": "politics",
    "captcha": "illegal",
    "jailbreak": "illegal",
    "jailbreak2": "illegal",
    "harmful": "misleading",
    "misleading": "misleading",
    "religion": "fairness",
    "visualmisleadcorrect": "misleading",
    "visualmisleadwrong": "misleading",
    "visualmisleadingcorrect": "misleading",
    "visualmisleadingwrong": "misleading",
    "visualordera": "misleading",
    "visualorderb": "misleading",
}
"""Risk type of each RTVLM folder."""

_VLGUARD: Mapping[str, NamedLabel] = {
    "political": _POLITICS,
    "personal data": _PRIVACY,
    "disinformation": _MISLEADING,
    "professional advice": ("misleading", 2),
    "sexually explicit": _ILLEGAL,
    "violence": _ILLEGAL,
    "sex": _FAIRNESS,
    "race": _FAIRNESS,
    "other": _FAIRNESS,
    "discrimination by sex": _FAIRNESS,
    "discrimination by race": _FAIRNESS,
    "privacy": _PRIVACY,
    "risky behavior": _ILLEGAL,
    "deception": _MISLEADING,
    "hateful speech": _BULLYING,
    "discrimination": _FAIRNESS,
}
"""VLGuard's subcategories, and their parent categories for records without a subcategory."""

_ASKED_FOR = 2
"""Least level of an unsafe instruction, because the set's answers decline it."""


def _same(label: NamedLabel, *categories: str) -> dict[str, NamedLabel]:
    return dict.fromkeys(categories, label)


ADAPTERS: Mapping[str, Adapter] = {
    "vlguard": Adapter(
        read=readers.read_vlguard,
        splits=("train", "test"),
        labels={
            "safe": SAFE,
            **_VLGUARD,
            # Where the record does not say what the instruction is about.
            "unsafe instruction": _ILLEGAL,
            **{
                f"unsafe instruction/{name}": (kind, max(level, _ASKED_FOR)) for name, (kind, level) in _VLGUARD.items()
            },
        },
    ),
    "rtvlm": Adapter(
        read=readers.read_rtvlm,
        labels={
            "safe": SAFE,
            **{f"{topic}/refuse": (kind, 3) for topic, kind in _RTVLM_TYPES.items()},
            **{f"{topic}/caution": (kind, 1) for topic, kind in _RTVLM_TYPES.items()},
            # Folders without advice ask what may be answered with care: to read a captcha, to describe a face.
            **{f"{topic}/unlabelled": (kind, 1) for topic, kind in _RTVLM_TYPES.items()},
        },
    ),
    "spa-vl": Adapter(
        read=readers.read_spa_vl,
        splits=("train", "validation", "test", "harm", "help"),
        labels={
            "representation & toxicity harms": _FAIRNESS,
            "misinformation harms": _MISLEADING,
            "information & safety harms": _PRIVACY,
            **_same(_ILLEGAL, "malicious use", "human autonomy & integrity harms", "socioeconomic harms"),
        },
    ),
    "mm-safetybench": Adapter(
        read=readers.read_mm_safetybench,
        labels={
            "hatespeech": _BULLYING,
            "political_lobbying": _POLITICS,
            "privacy_violence": _PRIVACY,
            **_same(
                _ILLEGAL, "illegal_activitiy", "malware_generation", "physical_harm", "economicharm", "fraud", "sex"
            ),
            **_same(("misleading", 2), "legal_opinion", "financial_advice", "health_consultation", "gov_decision"),
        },
    ),
    "figstep": Adapter(
        read=readers.read_figstep,
        labels={
            "safe": SAFE,
            "hate speech": _BULLYING,
            "privacy violation": _PRIVACY,
            **_same(_ILLEGAL, "illegal activity", "illegal activities", "malware generation", "physical harm", "fraud"),
            "adult content": _ILLEGAL,
            **_same(("misleading", 2), "legal opinion", "financial advice", "health consultation"),
        },
    ),
    "llava-instruct": Adapter(read=readers.read_llava_instruct, labels={"safe": SAFE}),
    "xstest": Adapter(
        read=readers.read_xstest,
        labels={
            "safe": SAFE,
            "contrast_discr": _FAIRNESS,
            "contrast_privacy": _PRIVACY,
            **_same(
                _ILLEGAL,
                "contrast_homonyms",
                "contrast_figurative_language",
                "contrast_safe_targets",
                "contrast_safe_contexts",
                "contrast_definitions",
                "contrast_historical_events",
            ),
        },
    ),
    "folder": Adapter(
        read=readers.read_folder,
        labels={
            "safe": SAFE,
            "illegal": _ILLEGAL,
            "politics": _POLITICS,
            "insults_bullying": _BULLYING,
            "fairness": _FAIRNESS,
            "privacy": _PRIVACY,
            "misleading": _MISLEADING,
        },
    ),
}
"""Every set by its name on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What :func:`convert` wrote."""

    count: int
    by_type: Mapping[str, int]
    """Records by risk type, in the taxonomy's order."""

    skipped: tuple[SampleError, ...] = ()
    """Records of the set that were skipped, each with its place and error."""


def convert(
    name: str,
    source: Path | str,
    out: Path | str,
    *,
    taxonomy: Taxonomy = DEFAULT_TAXONOMY,
    labels: Mapping[str, NamedLabel] | None = None,
    split: str | None = None,
    skip_bad: bool = False,
) -> Converted:
    """Write the set in ``source`` as JSONL.

    Args:
        name: a key of :data:`ADAPTERS`.
        source: folder in which the set was unpacked.
        out: JSONL file to write; picture paths become relative to its folder. Pictures inside the set's own files
            are written to a folder of the same name with the suffix ``-images``.
        taxonomy: taxonomy whose indices the records carry.
        labels: category → (type name, level), overriding the set's table.
        split: part of the set, if it has several.
        skip_bad: skip records that are malformed or whose picture is missing, instead of stopping at the first.

    Raises:
        ConfigError: no such adapter, folder or split, or a category has no label in this taxonomy. SampleError: a file
        of the set is missing or not in the set's format, a picture is missing, or no record remains.
    """
    if name not in ADAPTERS:
        raise ConfigError(f"adapter: one of {sorted(ADAPTERS)} is needed, got {name!r}")
    adapter, root, target = ADAPTERS[name], Path(source), Path(out)
    if not root.is_dir():
        raise ConfigError(f"{root}: there is no such folder")
    if split is not None and split not in adapter.splits:
        known = f"one of {list(adapter.splits)} is needed" if adapter.splits else f"{name} has none"
        raise ConfigError(f"split: {known}, got {split!r}")
    table = _Table(adapter.labels, labels or {}, taxonomy)
    counts: Counter[str] = Counter()
    names: Counter[str] = Counter()
    skipped: list[SampleError] = []

    def record_of(item: Item, pictures: "_Pictures") -> dict[str, Any]:
        label = table.label(item.category)
        for image in item.images:
            if isinstance(image, Path) and not image.is_file():
                raise item.error(f"the picture {image} does not exist", "image")
        names[item.id] += 1
        record: dict[str, Any] = {
            "id": item.id if names[item.id] == 1 else f"{item.id}~{names[item.id]}",
            "image": _relative(tuple(pictures.place(image) for image in item.images), target.parent),
            "conversations": [
                {"from": "ASSISTANT" if index % 2 else "USER", "value": text} for index, text in enumerate(item.turns)
            ],
            "safe_type": label.type,
            "safe_level": label.level,
            "source": name,
        }
        for field, category in (("image_risk", item.image_category), ("text_risk", item.text_category)):
            if category is not None:
                surface = table.label(category)
                record[field] = {"type": surface.type, "level": surface.level}
        counts[taxonomy.types[label.type]] += 1
        return record

    def records(pictures: "_Pictures") -> Iterator[dict[str, Any]]:
        for item in adapter.read(root, split):
            try:
                if isinstance(item, SampleError):
                    raise item
                record = record_of(item, pictures)
            except SampleError as error:
                if not skip_bad:
                    raise
                skipped.append(error)
            else:
                yield record
        if not counts:
            left = f", {len(skipped)} were skipped" if skipped else ""
            raise SampleError(f"no record of {name} was found{left}", file=str(root), line=0, field="file")

    with folders_made(target.parent), _pictures_kept(target.with_name(f"{target.stem}-images")) as pictures:
        count = write_jsonl(target, records(pictures))
    by_type = {kind: counts[kind] for kind in taxonomy.types if counts[kind]}
    return Converted(count=count, by_type=by_type, skipped=tuple(skipped))


class _Table:
    """Labels of categories in a taxonomy, looked up by name, ignoring case and punctuation.

    Args:
        own: the set's own labels.
        given: the user's labels, which take precedence.
        taxonomy: bounds of the labels.
    """

    def __init__(self, own: Mapping[str, NamedLabel], given: Mapping[str, NamedLabel], taxonomy: Taxonomy) -> None:
        self._tables = [{_plain(name): label for name, label in table.items()} for table in (given, own)]
        self._known = sorted({*own, *given})
        self._taxonomy = taxonomy

    def label(self, category: str) -> RiskLabel:
        """The label of a category, or of its parent category; raises ConfigError if there is none."""
        wanted = dict.fromkeys((_plain(category), _plain(category.partition("/")[0])))
        for table in self._tables:
            for name in wanted:
                if name in table:
                    return self._checked(category, *table[name])
        raise ConfigError(
            f"labels: category {category!r} has no label; known are {self._known}. "
            f'Give it one with --labels FILE: {{{json.dumps(category)}: ["type", level]}}'
        )

    def _checked(self, category: str, kind: str, level: int) -> RiskLabel:
        taxonomy = self._taxonomy
        if kind not in taxonomy.types or not 0 <= level < len(taxonomy.levels):
            raise ConfigError(f"labels.{category}: ({kind!r}, {level}) is not in the taxonomy")
        return RiskLabel(type=taxonomy.types.index(kind), level=level)


def _plain(category: str) -> str:
    """A category's name in lower case, with single spaces between words; ``/`` is kept."""
    return re.sub(r"[^\w/]+|_", " ", category.lower()).strip()


class _Pictures:
    """Stores pictures from a set's own files in one folder, each content once.

    Args:
        folder: the destination.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[Path] = []

    def place(self, image: Path | bytes) -> Path:
        """The file of a picture; writes it if it does not exist."""
        if isinstance(image, Path):
            return image
        ending = next((name for start, name in _STARTS if image.startswith(start)), ".img")
        path = self.folder / f"{hashlib.sha256(image).hexdigest()[:32]}{ending}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.written.append(path)
            path.write_bytes(image)
        return path


_STARTS = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"GIF8", ".gif"), (b"RIFF", ".webp"))
"""First bytes of files of each format."""


@contextmanager
def _pictures_kept(folder: Path) -> Iterator[_Pictures]:
    """Picture store whose files are removed again after an error."""
    pictures = _Pictures(folder)
    try:
        yield pictures
    except BaseException:
        for path in pictures.written:
            path.unlink(missing_ok=True)
        if pictures.written:
            with suppress(OSError):
                folder.rmdir()
        raise


def _relative(images: tuple[Path, ...], folder: Path) -> str | list[str] | None:
    paths = [os.path.relpath(image, folder) for image in images]
    return None if not paths else paths[0] if len(paths) == 1 else paths


def labels_from(data: Mapping[str, object]) -> dict[str, NamedLabel]:
    """``{"category": ["type", level]}`` as a label table; raises ConfigError where it is malformed."""
    table: dict[str, NamedLabel] = {}
    for category, label in data.items():
        if not isinstance(label, list) or [type(part) for part in label] != [str, int]:
            raise ConfigError(f"labels.{category}: [type, level] is needed")
        table[category] = (label[0], label[1])
    return table
