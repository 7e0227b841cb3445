"""Chooses the words of a continued training: all of the sources that are new to the checkpoint, and some of the others.

Without the others, the head would forget them; all of them again would cost a training as long as the first. Knows no
model.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from safety_core.errors import ConfigError


def write_replayed_words(files: Sequence[Path], out: Path, *, fresh: Collection[str], share: float) -> Path:
    """Write the records of some training files that a continued training reads.

    Args:
        files: training files, whose order is random.
        out: the file to write.
        fresh: sources whose records are all kept.
        share: share of each file's other records that is kept, from the start of the file.

    Returns:
        ``out``.

    Raises:
        ConfigError: no record is of a fresh source.
    """
    known = {json.loads(line)["source"] for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    unknown = sorted(set(fresh) - known)
    if unknown:
        raise ConfigError(f"fresh: no text that is trained on is of {', '.join(unknown)}")
    with out.open("w", encoding="utf-8") as target:
        for file in files:
            target.writelines(_choose(file.read_text(encoding="utf-8").splitlines(keepends=True), fresh, share))
    return out


def _choose(lines: Sequence[str], fresh: Collection[str], share: float) -> Iterator[str]:
    new = [json.loads(line)["source"] in fresh for line in lines]
    kept = round(share * new.count(False))
    for line, is_new in zip(lines, new, strict=True):
        if is_new:
            yield line
        elif kept > 0:
            kept -= 1
            yield line
