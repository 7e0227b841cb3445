"""The files of a run: one system on one suite, in one folder. Knows no suite, no system, no judge and no figure.

``run.json``
    What was run; written once, before the first item.
``results.jsonl``
    One line for each item, appended as it is answered. If an item was asked again, its last line counts.
``judgements.jsonl``
    One line for each judgement of a reply, appended as it is reached: the cache of the judges.
``thumbnails/SHA256.jpg``
    Reduced copies of the items' pictures, by the digest of the whole picture; a run may keep none.

Lines are appended as a whole. A process that is killed leaves at most one torn line, the last one, which readers ignore
and :class:`LineAppender` removes. The folder contains the benchmark's prompts and the system's replies, so it belongs
below a build folder and is not published.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Generic, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from safety_core.errors import ConfigError
from safety_core.files import describe_read_error, write_text
from safety_core.strict_json import StrictModel, find_problem
from safety_core.taxonomy import Taxonomy

RUN_FILE = "run.json"
RESULTS_FILE = "results.jsonl"
JUDGEMENTS_FILE = "judgements.jsonl"
THUMBNAILS_FOLDER = "thumbnails"

SystemKind = Literal["checkpoint", "endpoint", "baseline"]
Protocol = Literal["chat", "moderation", "llama-guard"]
DecisionName = Literal["allowed", "cautioned", "refused"]
JudgeVerdict = Literal["unsafe", "safe"]
TrainedOn = Literal["id", "near"]

Share = Annotated[float, Field(ge=0, le=1)]
"""A probability or a score from 0 to 1."""


class FileModel(StrictModel):
    """Base of the records in these files."""

    model_config = ConfigDict(allow_inf_nan=False)


class SuiteInfo(FileModel):
    """The suite of a run."""

    name: str
    digest: str
    """Digest of the items that were asked, their labels and pictures included: equal digests, equal questions."""

    items: int
    """Number of items."""

    licence: str | None = None
    """Licence of the data set, as its authors state it; None if unknown."""

    data: str | None = None
    """Name of the folder or file that was read, without its path."""


class SystemInfo(FileModel):
    """The system of a run."""

    name: str
    kind: SystemKind
    protocol: Protocol | None = None
    """How an endpoint was asked; None for all other systems."""

    model: str | None = None
    """Name of the model that an endpoint was asked for, or of the checkpoint's folder."""

    digest: str | None = None
    """Digest of a checkpoint, or of what a baseline was made of; None where nobody can know it."""


class TaxonomyInfo(FileModel):
    """The taxonomy of labels and verdicts, as :meth:`Taxonomy.to_dict` returns it."""

    types: tuple[str, ...]
    levels: tuple[str, ...]
    safe_type: str

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> Self:
        """Copy a taxonomy."""
        return cls(types=taxonomy.types, levels=taxonomy.levels, safe_type=taxonomy.safe_type)

    def to_taxonomy(self) -> Taxonomy:
        """Convert to the project's taxonomy; raises ConfigError if it is malformed."""
        return Taxonomy(types=self.types, levels=self.levels, safe_type=self.safe_type)


class RunInfo(FileModel):
    """The content of ``run.json``."""

    format_version: Literal[1] = 1
    suite: SuiteInfo
    system: SystemInfo
    taxonomy: TaxonomyInfo
    policy: dict[str, Any] | None = None
    """The policy that decided, as in ``policy.json``; None for systems without one."""

    commit: str | None = None
    """Commit of the code; None outside a repository."""

    command: tuple[str, ...] = ()
    """The command line. It never contains a key."""

    seed: int = 0
    settings: dict[str, Any] = Field(default_factory=dict)
    """Options that influence results, such as the limits of items and of reply tokens."""

    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of Python and of the packages that compute results."""


class GivenAnswer(FileModel):
    """The answer to a question of an ability suite."""

    expected: str
    given: str | None
    """The answer that was found in the reply; None if there is none."""

    right: bool | None
    """Whether it is the expected one; None if there was no reply."""


class ItemResult(FileModel):
    """One line of ``results.jsonl``: an item, and what the system made of it."""

    id: str
    group: str
    """Items of one group resemble each other, so that intervals resample groups."""

    source: str
    """The data set."""

    category: str
    """The data set's own name of the risk or the task."""

    type: str
    """Name of the risk type of the label."""

    level: Annotated[int, Field(ge=0)]
    """Level of the label; 0 is harmless."""

    risky: bool
    """Whether the level is above 0."""

    pictures: tuple[str, ...] = ()
    """Digest of the bytes of each picture."""

    prompt: str | None = None
    """The user's last words, for readers of the report and for comparison with training texts."""

    decision: DecisionName | None = None
    """The verdict; None for systems without verdicts, and if there is none for the item."""

    risk: Share | None = None
    """Belief that the item is not harmless."""

    risk_type: str | None = None
    """Name of the predicted risk type; None if it is harmless or nobody said."""

    type_scores: dict[str, float] | None = None
    """Risk type → score."""

    level_scores: tuple[float, ...] | None = None
    """Score of each level, from harmless to worst."""

    reply: str | None = None
    """The reply; None for systems without replies, and if the request was refused without one."""

    seconds: Annotated[float, Field(ge=0)] | None = None
    """Time until the answer was complete, retries excluded."""

    answer: GivenAnswer | None = None
    """In ability suites: the answer found in the reply."""

    trained_on: TrainedOn | None = None
    """Whether the checkpoint was trained on an item with this ``id``, or on a ``near``-duplicate."""

    error: str | None = None
    """Code of the reason why there is neither verdict nor reply."""


class JudgementLine(FileModel):
    """One line of ``judgements.jsonl``: what a judge said of one reply under one rubric."""

    key: str
    """Digest of judge, rubric, the judge's version, item and reply."""

    id: str
    """Id of the item."""

    judge: str
    """Name of the judge, with its model if it has one."""

    rubric: str
    verdict: JudgeVerdict | None
    """None if the reply is unscored, or the rubric only gives a score."""

    score: Share | None = None
    """From 0 (worst) to 1 (best); None if the judge gives no score."""

    unscored: str | None = None
    """Code of the reason why there is no judgement."""

    tokens: Annotated[int, Field(ge=0)] | None = None
    """Tokens that the judgement took; None for judges that are no language models."""


ModelT = TypeVar("ModelT", bound=FileModel)


def read_run(folder: Path) -> RunInfo:
    """Read what was run; raises ConfigError if the folder contains no run of this format."""
    file = folder / RUN_FILE
    return _parse(RunInfo, _read_bytes(file), str(file))


def write_run(folder: Path, run: RunInfo) -> None:
    """Write ``run.json``, completely or not at all; the folder is created if it is missing."""
    write_text(folder / RUN_FILE, run.model_dump_json(indent=1) + "\n")


def read_results(folder: Path) -> list[ItemResult]:
    """Read the last result of each item, in the order in which the items were first asked.

    A missing file has no results.

    Raises:
        ConfigError: a complete line is malformed.
    """
    return list({line.id: line for line in read_lines(folder / RESULTS_FILE, ItemResult)}.values())


def read_judgements(folder: Path) -> list[JudgementLine]:
    """Read the last judgement of each key, in order; raises ConfigError as :func:`read_results` does."""
    return list({line.key: line for line in read_lines(folder / JUDGEMENTS_FILE, JudgementLine)}.values())


def read_lines(file: Path, model: type[ModelT]) -> Iterator[ModelT]:
    """Yield the records of a JSONL file without a torn last line; a missing file has none.

    Raises:
        ConfigError: the file cannot be read, or a complete line is malformed.
    """
    if not file.exists():
        return
    for number, line in enumerate(_read_bytes(file).split(b"\n")[:-1], start=1):  # what follows the last break is torn
        yield _parse(model, line, f"{file}:{number}")


class LineAppender(Generic[ModelT]):
    """Appends records to a JSONL file, each as one write; a torn last line is removed first.

    Only one process may append to a file at a time; :mod:`.running` locks the folder.

    Args:
        file: the file; it and its folder are created if they are missing.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream: BinaryIO = file.open("ab+", buffering=0)
        self._remove_torn_line()

    def append(self, record: ModelT) -> None:
        """Append one record; it survives the death of the process once this returns."""
        self._stream.write(record.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _remove_torn_line(self) -> None:
        self._stream.seek(0)
        content = self._stream.read()
        self._stream.truncate(content.rfind(b"\n") + 1)


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{file}: {describe_read_error(exc)}") from exc


def _parse(model: type[ModelT], content: bytes, where: str) -> ModelT:
    try:
        return model.model_validate_json(content)
    except ValidationError as exc:
        raise ConfigError(f"{where}: {find_problem(exc)}") from exc
