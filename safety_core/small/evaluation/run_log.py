"""Keeps the results of rows item by item, so that an interrupted run goes on and a finished row is not run again.

Results are kept for the very same items, checkpoint and code. The files hold ids and numbers; those of replies also
hold what the models said. They belong below a build folder.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import safety_core

EntryT = TypeVar("EntryT")


class RunLog(Generic[EntryT]):
    """The results of one row.

    Args:
        file: where they are kept.
        key: identifies everything that they depend on; results of another key are dropped.
        parse: makes a result of its JSON form.
        dump: makes the JSON form.
    """

    def __init__(
        self,
        file: Path,
        key: str,
        *,
        parse: Callable[[Mapping[str, Any]], EntryT],
        dump: Callable[[EntryT], Mapping[str, Any]],
    ) -> None:
        self._file = file
        self._key = key
        self._parse = parse
        self._dump = dump
        self._known = self._read()

    def get(self, item: str) -> EntryT | None:
        """Return the result of an item, None if there is none."""
        return self._known.get(item)

    def record(self, items: Iterable[str], results: Iterable[EntryT]) -> Iterator[EntryT]:
        """Write each result as it comes, and pass it on."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps({"key": self._key}) + "\n")
            for item, result in self._known.items():
                stream.write(self._format(item, result))
            for item, result in zip(items, results, strict=True):
                self._known[item] = result
                stream.write(self._format(item, result))
                stream.flush()
                yield result

    def _format(self, item: str, result: EntryT) -> str:
        return json.dumps({"item": item, **self._dump(result)}) + "\n"

    def _read(self) -> dict[str, EntryT]:
        """Read what was kept; a line that an interrupted run left incomplete is ignored."""
        known: dict[str, EntryT] = {}
        if not self._file.is_file():
            return known
        lines = self._file.read_text(encoding="utf-8").splitlines()
        if not lines or _parse_line(lines[0]) != {"key": self._key}:
            return known
        for line in lines[1:]:
            fields = _parse_line(line)
            if fields is not None:
                item = fields.pop("item")
                known[item] = self._parse(fields)
        return known


def compute_key(*parts: object) -> str:
    """Compute a key from what results depend on; the code of this package is always part of it."""
    return hashlib.sha256("\0".join([*map(str, parts), _hash_code()]).encode()).hexdigest()


def _parse_line(line: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


@cache
def _hash_code() -> str:
    """Digest of every module of this package: another engine may judge otherwise."""
    root = Path(safety_core.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()
