"""Writes the training file of stage 2: what photographs show, safe replies to risky requests, replies of the backbone.

Paths of photographs are relative to the file, where they can be.
"""

import random
from collections.abc import Iterable, Iterator
from os.path import relpath
from pathlib import Path
from typing import Any

from safety_core.data.jsonl import write_jsonl
from safety_core.data.readers.rows import read_jsonl_rows
from safety_core.errors import SampleError
from safety_core.small.build.replies.reply_samples import ReplySample
from safety_core.small.build.training_files import format_record

_IMAGE_FIELD = "image"


def write_reply_file(file: Path, descriptions: Path | None, replies: Iterable[ReplySample], *, seed: int) -> int:
    """Write the samples in random order; returns their number.

    Args:
        file: the file to write.
        descriptions: samples of the alignment, whose paths are absolute or relative to their file; None for none.
        replies: requests with replies.
        seed: seed of the order.

    Raises:
        SampleError: a line of ``descriptions`` is malformed.
    """
    folder = file.parent
    folder.mkdir(parents=True, exist_ok=True)
    lines = [_format(sample, folder) for sample in replies]
    if descriptions is not None:
        lines += _read_descriptions(descriptions, folder)
    random.Random(seed).shuffle(lines)
    return write_jsonl(file, lines)


def _read_descriptions(file: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Read the samples of the alignment, with paths that are relative to another folder."""
    for row in read_jsonl_rows(file):
        if isinstance(row, SampleError):
            raise row
        assert isinstance(row.data, dict), "the alignment writes objects"
        yield {**row.data, _IMAGE_FIELD: relpath(file.parent / row.data[_IMAGE_FIELD], folder)}


def _format(sample: ReplySample, folder: Path) -> dict[str, Any]:
    images = [] if sample.photo is None else [relpath(sample.photo, folder)]
    return format_record(sample.id, images, sample.prompt, sample.label, sample.source, reply=sample.reply)
