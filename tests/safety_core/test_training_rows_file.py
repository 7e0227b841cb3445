from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from safety_core.errors import CheckpointError, FormatVersionError
from safety_core.training_rows_file import (
    SPARE_BITS,
    Kind,
    TrainingRows,
    encode_training_rows,
    read_training_rows,
)


def make_keys(count: int, start: int = 0) -> list[bytes]:
    return [f"record {number}".encode() for number in range(start, start + count)]


def write(rows: TrainingRows, folder: Path) -> Path:
    file = folder / "training_rows.safetensors"
    file.write_bytes(encode_training_rows(rows))
    return file


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_every_stored_key_is_found_again_after_writing_and_reading(count: int, tmp_path: Path) -> None:
    rows = TrainingRows.collect({"ids": make_keys(count), "texts": make_keys(count, 5000)}, records=count)
    read = read_training_rows(write(rows, tmp_path))
    assert read.records == count
    assert read.find("ids", make_keys(count)).all()
    assert read.find("texts", make_keys(count, 5000)).all()
    assert not read.find("pictures", make_keys(3)).any()


def test_equal_records_give_equal_files_and_others_another_salt() -> None:
    one, same = (TrainingRows.collect({"ids": keys}, records=9) for keys in (make_keys(9), make_keys(9)[::-1]))
    assert encode_training_rows(one) == encode_training_rows(same)
    assert TrainingRows.collect({"ids": make_keys(10)}, records=10).salt != one.salt


@pytest.mark.parametrize("kind", ["ids", "texts"])
def test_strangers_are_taken_for_members_as_rarely_as_the_spare_bits_say(kind: Kind) -> None:
    rows = TrainingRows.collect({kind: make_keys(20_000)}, records=20_000)
    rate = rows.find(kind, make_keys(50_000, start=1_000_000)).mean()
    assert 0.5 < rate * 2 ** SPARE_BITS[kind] < 1.5


def test_a_hundred_thousand_records_with_words_take_less_than_a_megabyte() -> None:
    keys: dict[Kind, list[bytes]] = {"ids": make_keys(100_000), "texts": make_keys(400_000)}
    assert len(encode_training_rows(TrainingRows.collect(keys, records=100_000))) < 1_000_000


def test_the_same_key_has_other_hashes_under_another_salt() -> None:
    one = TrainingRows.collect({"ids": make_keys(500)}, records=500)
    other = TrainingRows.collect({"ids": [*make_keys(500), b"one more"]}, records=501)
    common = np.intersect1d(one.sets["ids"].members, other.sets["ids"].members)
    assert len(common) < 20


def test_damaged_files_are_rejected(tmp_path: Path) -> None:
    file = write(TrainingRows.collect({"ids": make_keys(50)}, records=50), tmp_path)
    good = file.read_bytes()
    tensors = load_file(file)
    for change, message in (
        ({"ids.high": tensors["ids.high"][:-1]}, "size"),
        ({"ids.high": np.zeros_like(tensors["ids.high"])}, "number of members"),
    ):
        broken = tmp_path / "broken.safetensors"
        save_file(tensors | change, broken, metadata=_read_metadata(good))
        with pytest.raises(CheckpointError, match=message):
            read_training_rows(broken)
    file.write_bytes(good[:-3])
    with pytest.raises(CheckpointError, match="safetensors"):
        read_training_rows(file)
    file.write_bytes(good.replace(b'\\"format_version\\":1', b'\\"format_version\\":2'))
    with pytest.raises(FormatVersionError):
        read_training_rows(file)


def test_other_safetensors_files_are_rejected(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="header"):
        read_training_rows(tmp_path / "weights.safetensors")


def _read_metadata(content: bytes) -> dict[str, str]:
    import json

    size = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + size])["__metadata__"]
    return metadata
