"""Reads and writes ``training_rows.safetensors``: what a checkpoint was trained on, as truncated salted hashes.

The file holds three sets: of ids, of texts and of pictures. A member is a hash modulo a range that is only
2**spare_bits times as large as the set, so one of 2**spare_bits strangers is taken for a member, and a stored value
fits very many texts: nobody can read a record out of the file, only ask whether a record that they have is in it. Sets
are sorted and coded as by Elias (*Efficient storage and retrieval by content and address of static files*, Journal of
the ACM 21, 1974) and Fano: spare_bits + 2 bits a member.

Knows what a key is, 64 bits, and not what it stands for. Standard library, numpy and safetensors only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from safety_core.errors import CheckpointError, ConfigError, FormatVersionError
from safety_core.strict_json import StrictModel, parse_model

TRAINING_ROWS_FILE = "training_rows.safetensors"

FORMAT_VERSION = 1
_HEADER = "training_rows"
_SALT_BYTES = 16

MOST_BYTES = 256 << 20
"""Largest file that is read, in bytes: that of about 20 million records."""

Kind = Literal["ids", "texts", "pictures"]

SPARE_BITS: Mapping[Kind, int] = {"ids": 10, "texts": 11, "pictures": 20}
"""Bits by which a hash is longer than needed to number the set. A text has four keys and one is enough; a picture is
looked for with the 2,080 hashes beside its own."""

ByteArray = npt.NDArray[np.uint8]
KeyArray = npt.NDArray[np.uint64]


class _SetHeader(StrictModel):
    count: int = Field(ge=0, lt=2**32)
    """Number of members."""

    buckets: int = Field(ge=0, lt=2**32)
    """The range of the hashes, divided by 2**spare_bits."""

    spare_bits: int = Field(ge=1, le=30)


class _Header(StrictModel):
    format_version: int
    records: int = Field(ge=0)
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    sets: dict[Kind, _SetHeader]


@dataclass(frozen=True, slots=True, kw_only=True)
class HashSet:
    """A set of truncated hashes."""

    members: KeyArray
    """The hashes, ascending, each once."""

    buckets: int
    """The range of the hashes, divided by 2**spare_bits."""

    spare_bits: int

    @classmethod
    def collect(cls, keys: Iterable[int], spare_bits: int) -> HashSet:
        """Truncate 64-bit hashes to a range that fits their number."""
        full = np.unique(np.fromiter(keys, dtype=np.uint64))
        buckets = len(full)
        members = np.unique(full % np.uint64(buckets << spare_bits)) if buckets else full
        return cls(members=members, buckets=buckets, spare_bits=spare_bits)

    def find(self, keys: KeyArray) -> npt.NDArray[np.bool_]:
        """Find out which 64-bit hashes are in the set; of others, one in 2**spare_bits seems to be."""
        if not len(self.members):
            return np.zeros(len(keys), dtype=np.bool_)
        wanted = keys % np.uint64(self.buckets << self.spare_bits)
        places = np.minimum(np.searchsorted(self.members, wanted), len(self.members) - 1)
        return np.asarray(self.members[places] == wanted, dtype=np.bool_)

    def encode(self) -> tuple[ByteArray, ByteArray]:
        """Encode the low bits of all members, and the high ones as the gaps between ones in a row of bits."""
        shifts = np.arange(self.spare_bits, dtype=np.uint64)
        low_bits = (self.members[:, None] >> shifts & np.uint64(1)).astype(np.uint8)
        high = (self.members >> np.uint64(self.spare_bits)).astype(np.int64)
        row = np.zeros(len(self.members) + self.buckets, dtype=np.uint8)
        row[high + np.arange(len(high))] = 1
        return np.packbits(low_bits.ravel()), np.packbits(row)

    @classmethod
    def decode(cls, low: ByteArray, high: ByteArray, header: _SetHeader) -> HashSet:
        """Decode what :meth:`encode` returned; raises ValueError if it does not fit the header."""
        bits, count = header.spare_bits, header.count
        low_bits = np.unpackbits(low, count=count * bits).reshape(count, bits).astype(np.uint64)
        row = np.unpackbits(high, count=count + header.buckets)
        ones = np.flatnonzero(row)
        if len(ones) != count or np.packbits(row).tobytes() != high.tobytes():
            raise ValueError("the number of members differs from the header's")
        high_bits = (ones - np.arange(count)).astype(np.uint64)
        members = (high_bits << np.uint64(bits)) + (low_bits << np.arange(bits, dtype=np.uint64)).sum(
            axis=1, dtype=np.uint64
        )
        if count > 1 and not (members[1:] > members[:-1]).all():
            raise ValueError("the members do not ascend")
        return cls(members=members, buckets=header.buckets, spare_bits=bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """What a checkpoint was trained on."""

    records: int
    """Number of records."""

    salt: bytes
    """16 bytes that enter every hash, so that the hashes of two files cannot be compared."""

    sets: Mapping[Kind, HashSet]

    @classmethod
    def collect(cls, keys: Mapping[Kind, Iterable[bytes]], *, records: int) -> TrainingRows:
        """Hash the keys of records, with a salt that depends on them alone: equal records give equal files.

        Args:
            keys: bytes that stand for ids, texts and pictures, in any order.
            records: number of records.
        """
        distinct = {kind: sorted(set(keys.get(kind, ()))) for kind in SPARE_BITS}
        digest = hashlib.blake2b(digest_size=_SALT_BYTES)
        for kind, entries in distinct.items():
            digest.update(f"{kind} {len(entries)}\n".encode())
            for entry in entries:
                digest.update(len(entry).to_bytes(4, "little") + entry)
        salt = digest.digest()
        sets = {
            kind: HashSet.collect((hash_key(salt, kind, entry) for entry in entries), SPARE_BITS[kind])
            for kind, entries in distinct.items()
        }
        return cls(records=records, salt=salt, sets=sets)

    def find(self, kind: Kind, keys: Iterable[bytes]) -> npt.NDArray[np.bool_]:
        """Find out which keys are those of a training record."""
        return self.sets[kind].find(np.fromiter((hash_key(self.salt, kind, key) for key in keys), dtype=np.uint64))


def hash_key(salt: bytes, kind: Kind, key: bytes) -> int:
    """Compute the salted hash of a key, 64 bits."""
    digest = hashlib.blake2b(key, digest_size=8, key=salt, person=kind.encode())
    return int.from_bytes(digest.digest(), "little")


def encode_training_rows(rows: TrainingRows) -> bytes:
    """Encode as the content of a file; equal rows give equal bytes."""
    tensors: dict[str, ByteArray] = {}
    for kind, members in rows.sets.items():
        tensors[f"{kind}.low"], tensors[f"{kind}.high"] = members.encode()
    header = _Header(
        format_version=FORMAT_VERSION,
        records=rows.records,
        salt=rows.salt.hex(),
        sets={
            kind: _SetHeader(count=len(one.members), buckets=one.buckets, spare_bits=one.spare_bits)
            for kind, one in rows.sets.items()
        },
    )
    content: bytes = save(tensors, metadata={_HEADER: header.model_dump_json()})
    return content


def read_training_rows(file: Path) -> TrainingRows:
    """Read and check a file.

    Raises:
        FormatVersionError: the file has another version of the format.
        CheckpointError: the file is damaged, too large or no file of this kind.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise CheckpointError(f"{file.name}: larger than {MOST_BYTES >> 20} MiB")
        with safe_open(file, framework="numpy") as stored:
            header = _read_header(stored.metadata() or {}, file.name)
            expected = {f"{kind}.{part}" for kind in SPARE_BITS for part in ("low", "high")}
            if set(stored.keys()) != expected or set(header.sets) != set(SPARE_BITS):
                raise CheckpointError(f"{file.name}: sets are missing or surplus")
            tensors = {name: stored.get_tensor(name) for name in expected}
    except (OSError, SafetensorError) as exc:
        raise CheckpointError(f"{file.name}: not a readable safetensors file") from exc
    sets: dict[Kind, HashSet] = {}
    for kind, one in header.sets.items():
        low, high = tensors[f"{kind}.low"], tensors[f"{kind}.high"]
        sizes = ((-(-one.count * one.spare_bits // 8),), (-(-(one.count + one.buckets) // 8),))
        if (low.shape, high.shape) != sizes or not low.dtype == high.dtype == np.uint8:
            raise CheckpointError(f"{file.name}: {kind} does not have the size that the header states")
        try:
            sets[kind] = HashSet.decode(low, high, one)
        except ValueError as exc:
            raise CheckpointError(f"{file.name}: {kind}: {exc}") from exc
    return TrainingRows(records=header.records, salt=bytes.fromhex(header.salt), sets=sets)


def _read_header(metadata: Mapping[str, str], name: str) -> _Header:
    try:
        data = json.loads(metadata[_HEADER])
    except (KeyError, ValueError) as exc:
        raise CheckpointError(f"{name}: the header is missing or no JSON") from exc
    if isinstance(data, dict) and data.get("format_version") != FORMAT_VERSION:
        raise FormatVersionError(f"{name}: format_version must be {FORMAT_VERSION}")
    try:
        return parse_model(_Header, data, where=name)
    except ConfigError as exc:
        raise CheckpointError(str(exc)) from exc
